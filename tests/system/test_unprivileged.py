"""An ordinary account, in a folder that is somebody else's: for root, as which tests may run, modes mean nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")

NOBODY = 65_534
# An account that no system has: some containers run as such.
NAMELESS = 54_321


def run_as(uid: int, *arguments: str, umask: int = 0o022, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `core` as an account that may read everything and write only its own, in a folder of root's."""
    reading = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    account = ("setpriv", f"--reuid={uid}", f"--regid={NOBODY}", "--clear-groups", *reading, "--")
    return subprocess.run(
        [*account, sys.executable, "-P", "-m", "core", *arguments],
        cwd=ROOT / "core",
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)} | env,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_folder_of_somebody_else_is_named(tmp_path: Path) -> None:
    """Where nothing can be written beside the program, one sentence says where that is and what to do."""
    done = run_as(NOBODY, "check")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: The embedded PostgreSQL cannot use {ROOT / 'core' / '.fencepost'}: Permission denied. "
        "Make it writable or free some space, name another folder in FENCEPOST_HOME, or set DATABASE_URL.\n"
    )


def test_an_account_without_a_name_is_told_so(tmp_path: Path) -> None:
    """PostgreSQL does not run as an account that has no name: that is said, and no trace is shown."""
    os.chown(tmp_path, NAMELESS, NOBODY)

    done = run_as(NAMELESS, "check", FENCEPOST_HOME=str(tmp_path / "home"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: The account with the number {NAMELESS} has no name here, and the embedded PostgreSQL does not run as "
        "such: add it to /etc/passwd, or set DATABASE_URL.\n"
    )


def test_another_home_is_all_that_it_takes(tmp_path: Path) -> None:
    """With a home that can be written it works, without HOME and TMPDIR, and where the umask closes everything."""
    os.chown(tmp_path, NOBODY, NOBODY)
    places = {"FENCEPOST_HOME": str(tmp_path / "home"), "HOME": "/nowhere", "TMPDIR": "/nowhere"}

    done = run_as(NOBODY, "check", umask=0o077, **places)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
