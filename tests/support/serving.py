"""The API as a process of its own, and `curl` as those use it who call it."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import httpx

from api.server import GRACE
from tests.conftest import ROOT
from tests.support.waiting import PATIENCE, wait_for
from tests.support.warm_start import WarmProcess

# Each worker has a thousand ports of its own, below those that the kernel gives to connections. It begins anywhere
# among them, because another run of the tests may be at work.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_START = secrets.randbelow(1000)
_PORTS = cycle(20_000 + 1000 * (_WORKER % 12) + (_START + step) % 1000 for step in range(1000))


class ApiProcess:
    """A running `python -m api`."""

    def __init__(self, process: WarmProcess, url: str, database_url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.database_url = database_url
        self._log = log

    def get(self, target: str, *authorization: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask once, on a connection of its own. Names of headers are written with underscores."""
        given = [("authorization", value) for value in authorization]
        given += [(name.replace("_", "-"), value) for name, value in headers.items()]
        return httpx.request(method, self.url + target, headers=given, timeout=PATIENCE, trust_env=False)

    def curl(self, target: str, authorization: str, *options: str) -> subprocess.Popen[bytes]:
        """Start `curl`; it reads no further than whoever reads its standard output."""
        command = ["curl", "-q", "--silent", "--show-error", "--noproxy", "*", "--max-time", "120", *options]
        command += ["--header", f"Authorization: {authorization}", self.url + target]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)

    def log(self) -> str:
        return self._log.read_text()

    def resident(self) -> int:
        """Return the bytes of memory that the process holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")


@contextmanager
def serve_api(database_url: str, log: Path, *, grace: int = GRACE, **environment: str) -> Iterator[ApiProcess]:
    """Run `python -m api` on a free port of the loopback for a block; at its end it may have less grace."""
    port = free_port()
    process = WarmProcess("api", ["--port", str(port)], {"DATABASE_URL": database_url} | environment, log, grace=grace)
    try:
        api = ApiProcess(process, f"http://127.0.0.1:{port}", database_url, log)
        wait_for(lambda: process.poll() is not None or _listens(port), "the server")
        assert process.poll() is None, api.log()
        yield api
    finally:
        process.kill()
        process.wait()


def run_api(database_url: str, port: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m api` where it cannot start, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "api", "--port", port],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def free_port() -> int:
    """Return a port of the loopback that nobody listens on, and that this worker has not given out lately.

    What the kernel gives (port 0) it gives to another worker as well before the server that asked for it listens.
    """
    for port in _PORTS:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("the ports go round and round")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
