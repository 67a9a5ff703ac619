"""Files that commands write: whole or not there, whatever ends the command."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

WRITE = """
import os, signal, sys
from pathlib import Path
from core.cli.output import open_output

with open_output(Path(sys.argv[1])) as file:
    file.write(b"a harmless prompt" * 100_000)
    file.flush()
    if len(sys.argv) > 2:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_command_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    """After SIGKILL there is no part of a file, and what bore the name before is still there."""
    path = tmp_path / "jobs.csv"
    path.write_text("an older export")

    killed = subprocess.run([sys.executable, "-c", WRITE, str(path), "kill"], cwd=ROOT)

    assert killed.returncode == -9
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("jobs.csv", "an older export")]


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """It replaces what bore the name, and nobody but the owner reads it, whatever the umask."""
    path = tmp_path / "jobs.csv"
    path.write_text("an older export")

    subprocess.run([sys.executable, "-c", WRITE, str(path)], cwd=ROOT, check=True, umask=0)

    assert [(each.name, each.stat().st_size) for each in tmp_path.iterdir()] == [("jobs.csv", 1_700_000)]
    assert path.stat().st_mode & 0o777 == 0o600
