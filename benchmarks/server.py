"""A PostgreSQL with demo jobs and the API in front of it, for as long as it is measured."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import create_key
from core.cli.runner import open_checked
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate
from core.intake.demo import has_jobs, seed_jobs
from core.intake.demo_jobs import PERIOD
from core.jobs.wall import Wall
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
START = UNTIL - PERIOD
PORT = 3099


@dataclass(frozen=True, slots=True)
class Bench:
    """A server with jobs, and a key to it."""

    url: str
    key: str
    process: subprocess.Popen[bytes]
    databases: Databases
    directory: Path

    def memory(self, which: str) -> float:
        """Return the server's resident memory in MB: now (VmRSS) or at its greatest (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{which}:")[1].split()[0]) / 1000

    def download(
        self, file: Path, *, start: datetime = START, end: datetime = UNTIL, more: str = ""
    ) -> tuple[float, float, int]:
        """Download a range with curl; return the seconds to the first byte and to the last, and the bytes."""
        bounds = f"from={start:%Y-%m-%dT%H:%M:%S.%fZ}&to={end:%Y-%m-%dT%H:%M:%S.%fZ}{more}"
        form = "%{time_starttransfer} %{time_total} %{size_download}"
        command = ["curl", "-sSf", "-H", f"Authorization: Bearer {self.key}", "-o", str(file), "-w", form]
        address = f"http://127.0.0.1:{PORT}/api/v1/jobs/export?{bounds}"
        first, seconds, size = subprocess.check_output([*command, address], text=True).split()
        return float(first), float(seconds), int(size)

    def first_byte(self, start: datetime, end: datetime, more: str) -> float:
        """Ask for an export and leave after its first kilobyte; return the seconds until then."""
        bounds = f"from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}{more}"
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        headers = {"Authorization": f"Bearer {self.key}"}
        started = time.perf_counter()
        connection.request("GET", f"/api/v1/jobs/export?{bounds}", headers=headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read(1024)
        seconds = time.perf_counter() - started
        connection.close()
        # The server of the database looks for its reader every second; the next export is measured without this one.
        time.sleep(1.5)
        return seconds


@contextmanager
def stored(directory: Path, jobs: int, *, seed: int = 1) -> Iterator[tuple[str, Databases]]:
    """Keep a PostgreSQL with demo jobs in a directory up for a block; jobs that are there already are used."""
    directory.mkdir(parents=True, exist_ok=True)
    embedded = EmbeddedServer(directory)
    url = embedded.start()
    settings = Settings(database_url=SecretStr(url))
    migrate(settings)
    with open_checked(settings) as databases:
        if not has_jobs(databases):
            seed_jobs(databases, jobs, seed=seed, until=UNTIL)
        yield url, databases
    embedded.stop()


@contextmanager
def serving(directory: Path, jobs: int) -> Iterator[Bench]:
    """Serve demo jobs for a block."""
    with stored(directory, jobs) as (url, databases):
        environment = os.environ | {
            "DATABASE_URL": url,
            "FENCEPOST_EXPORTS_PER_CLIENT": "4",
            "FENCEPOST_REQUESTS_PER_MINUTE": "100000",
        }
        scopes = frozenset({Scope.JOB_READ})
        key = create_key(databases, COMMAND_LINE, name="benchmark", wall=Wall(None), scopes=scopes, expires_at=None)
        command = [sys.executable, "-m", "api", "--port", str(PORT)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until_it_answers()
                yield Bench(url, key, process, databases, directory)
            finally:
                process.terminate()


def ask_health() -> None:
    """Ask `/health` once, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.close()


def wait_until_it_answers() -> None:
    for _ in range(300):
        try:
            ask_health()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not answer")
