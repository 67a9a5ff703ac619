"""The other Pythons that the machine has: what is needed installs there, and a month goes out as it does here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.servers import serving
from tests.support.serving import free_port

OTHERS = ("3.12", "3.13", "3.14")
BOUNDS = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z")


def find_python(version: str) -> str | None:
    """Return a Python of this version: on the path, or among those that pyenv keeps."""
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for found in (shutil.which(f"python{version}"), *map(str, kept)):
        # A name that is found may be an empty shell.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest.mark.parametrize("version", OTHERS)
def test_another_python_gives_the_same_bytes(version: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Demo jobs are made, exported and served there, and their export is what this Python makes of the same jobs."""
    if not pytestconfig.getoption("--pythons"):
        pytest.skip("it installs everything once more: make soak")
    python = find_python(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    subprocess.run([python, "-m", "venv", str(tmp_path / "venv")], check=True)
    there = str(tmp_path / "venv" / "bin" / "python")
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    subprocess.run([there, *install], cwd=ROOT, check=True)

    def run(interpreter: str, *arguments: str) -> bytes:
        command = [interpreter, "-W", "error::DeprecationWarning:core", "-m", "core", *arguments]
        environment = os.environ | {"FENCEPOST_HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE).stdout

    run(there, "migrate")
    run(there, "seed", "--jobs", "2000", "--seed", "3", "--until", "2026-05-01")
    exported = run(there, "export", *BOUNDS)

    assert exported.count(b"\n") > 400
    assert exported == run(sys.executable, "export", *BOUNDS)
    port = free_port()
    address = {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "FENCEPOST_DEMO": "1"}
    environment = address | {"FENCEPOST_HOME": str(tmp_path / "home")}
    with serving([there, "-m", "dashboard"], port, tmp_path, environment) as server:
        assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
        assert "Traceback" not in server.log
