"""`python -m core …` as a process of its own, for what only a process can show."""

import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.support.waiting import PATIENCE


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
