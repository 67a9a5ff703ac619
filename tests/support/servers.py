"""Servers as users start them, each on a free port of the loopback interface."""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.support.serving import free_port
from tests.support.warm_start import WarmProcess


@dataclass(frozen=True)
class RunningServer:
    """A server that answers. `log` is what it has written to standard error so far."""

    url: str
    process: subprocess.Popen[bytes] | WarmProcess
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()


@contextmanager
def serving_dashboard(
    database_url: str, directory: Path, *, port: int | None = None, **environment: str
) -> Iterator[RunningServer]:
    """Serve dashboard and API in demo mode until the block ends."""
    port = port or free_port()
    variables = {
        "DATABASE_URL": database_url,
        "FENCEPOST_DEMO": "1",
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
    } | environment
    with serving_warm(port, directory, variables) as server:
        yield server


@contextmanager
def serving_warm(port: int, directory: Path, environment: dict[str, str]) -> Iterator[RunningServer]:
    """Serve dashboard and API, as `serving` would, from a process that has their modules."""
    log_file = directory / f"server-{port}.log"
    with _answering(WarmProcess("dashboard", [], environment, log_file), port, log_file) as server:
        yield server


@contextmanager
def serving(
    command: list[str], port: int, directory: Path, environment: dict[str, str], *, cwd: Path = ROOT
) -> Iterator[RunningServer]:
    """Start a server, wait until its `/health` answers, and end it with SIGTERM."""
    log_file = directory / f"server-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=os.environ | environment, stdout=log, stderr=log)
    with _answering(process, port, log_file) as server:
        yield server


@contextmanager
def _answering(process: subprocess.Popen[bytes] | WarmProcess, port: int, log_file: Path) -> Iterator[RunningServer]:
    server = RunningServer(f"http://127.0.0.1:{port}", process, log_file)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_until_it_answers(server: RunningServer) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log
        # Not by httpx, which reads all trusted certificates for each question and takes the server's processor.
        asking = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        with closing(asking), suppress(OSError, http.client.HTTPException):
            asking.request("GET", "/health")
            asking.getresponse()
            return
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer:\n{server.log}")
