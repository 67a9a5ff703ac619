"""The port that a dashboard notes for commands."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from core.cli.import_options import link_to_jobs
from core.served_port import find_port, noting_port
from core.settings import Settings
from tests.conftest import ROOT

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)

NOTES_AND_WAITS = """
import sys
from pathlib import Path
from core.served_port import noting_port
with noting_port(Path(sys.argv[1]), 4711):
    print("noted", flush=True)
    sys.stdin.read()
"""


def test_a_port_is_known_while_its_dashboard_runs(tmp_path: Path) -> None:
    """The link of an import leads to the port that is served, and to that of the settings where none is."""
    settings = Settings(fencepost_home=tmp_path, streamlit_server_port=3051)
    assert find_port(tmp_path) is None
    with noting_port(tmp_path, 4711), noting_port(tmp_path, 4712):
        assert find_port(tmp_path) == 4712
        assert "http://localhost:4712/?" in link_to_jobs(settings, "acme", NOON, NOON)
    assert find_port(tmp_path) is None
    assert "http://localhost:3051/?" in link_to_jobs(settings, "acme", NOON, NOON)


def test_a_dashboard_that_was_killed_leaves_no_port(tmp_path: Path) -> None:
    """What a process has noted that is no more is not believed."""
    command = [sys.executable, "-c", NOTES_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"noted\n"
        assert find_port(tmp_path) == 4711
        process.kill()
    assert find_port(tmp_path) is None


def test_a_folder_that_takes_no_file_is_no_obstacle(tmp_path: Path) -> None:
    """Without a folder, or with something else in its place, the dashboard runs and nothing is noted."""
    (tmp_path / "dashboard.port").mkdir()
    for home in (tmp_path / "missing", tmp_path):
        with noting_port(home, 4711):
            assert find_port(home) is None
