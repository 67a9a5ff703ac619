"""`python -m core …` as a process of its own, for what only a process can show, and what a command says."""

import os
import subprocess
import sys
from collections.abc import Callable

from tests.conftest import ROOT
from tests.support.waiting import PATIENCE

# The fixture `run_core`.
RunCore = Callable[..., subprocess.CompletedProcess[bytes]]


def run_process(database_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command on a database to its end. The fixture `run_core` does so without the start of a process."""
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url} | environment,
        capture_output=True,
        check=False,
        timeout=4 * PATIENCE,
    )


def refusal(done: subprocess.CompletedProcess[bytes], code: int) -> str:
    """Return the one line in which a command says why it could not; it has printed nothing else."""
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (code, b"", 1), done.stderr.decode()
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")
