"""Servers of Fencepost that begin with all of its modules loaded, which is most of what their start takes.

They are forked from a process that has done nothing but load them. That a server starts by itself is shown where
commands are tried: from the wheel, behind a proxy, in other Pythons.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from api import server
from tests.conftest import ROOT

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["api.__main__", "dashboard.__main__"])


class WarmProcess:
    """A running `python -m api` or `python -m dashboard`, with what tests use of `subprocess.Popen`."""

    def __init__(
        self, module: str, arguments: list[str], environment: dict[str, str], log: Path, *, grace: int = server.GRACE
    ) -> None:
        # It may be asked for before the server has begun it.
        log.touch()
        given = (module, arguments, os.environ | environment, log, grace)
        self._process = _CONTEXT.Process(target=_run, args=given, daemon=True)
        with _bare_main():
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired([self._process.name], timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def _bare_main() -> Iterator[None]:
    """Hide what this process runs, which the new one would load: after a page without a browser it is that page."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run(module: str, arguments: list[str], environment: dict[str, str], log: Path, grace: int) -> None:
    """Become the server, as `python -m` would in a process of its own."""
    server.GRACE = grace
    with log.open("wb") as written:
        for number in (1, 2):
            os.dup2(written.fileno(), number)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    # What it needs stays loaded; it itself is to run.
    del sys.modules[f"{module}.__main__"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # Whoever is forked ends without them.
        atexit._run_exitfuncs()
