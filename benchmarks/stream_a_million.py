"""Stream 1,000,000 jobs from the endpoint: first byte, memory of the server, and time against `psql \\copy`.

Run it with `python -m benchmarks.stream_a_million`; it makes a PostgreSQL of its own in a temporary directory.
"""

import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from core.access import Scope
from core.api_keys import create_key
from core.commands import open_checked
from core.database import migrate
from core.demo import PERIOD, seed_jobs
from core.embedded import EmbeddedServer
from core.query import Wall
from core.settings import Settings

JOBS = 1_000_000
RUNS = 3
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent

# What somebody with a shell would write: the same columns, the latest log, the same order.
PEER = r"""\copy (
    SELECT j.job_id, j.type, j.status, j.is_prohibited, j.created_at, j.completed_at, j.prompt, j.reason,
        l.category_ai_adult_general, l.category_underage, l.category_nsfw
    FROM jobs j LEFT JOIN LATERAL (
        SELECT * FROM moderation_logs m WHERE m.job_id = j.job_id ORDER BY m.created_at DESC, m.log_id DESC LIMIT 1
    ) l ON true
    ORDER BY j.created_at, j.job_id
) TO '{file}' WITH (FORMAT csv, HEADER)"""


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, _server(Path(directory)) as (url, key, port, process):
        file = Path(directory) / "jobs.csv"
        ours, theirs, firsts, size = [], [], [], 0
        before = _memory(process, "VmRSS")
        for _ in range(RUNS):
            first, seconds, size = _download(port, key, file)
            ours.append(seconds)
            firsts.append(first)
            theirs.append(_copy(url, file))
        growth = _memory(process, "VmHWM") - before
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"{JOBS:,} jobs, {size / 1e6:.0f} MB, {RUNS} runs in turn, median")
    print(f"endpoint / psql \\copy: {statistics.median(ratios):.2f}  ({_list(ours)} s against {_list(theirs)} s)")
    print(f"first byte: {statistics.median(firsts) * 1000:.0f} ms")
    print(f"the server grew by {growth:.0f} MB at most")


@contextmanager
def _server(directory: Path) -> Iterator[tuple[str, str, int, subprocess.Popen[bytes]]]:
    """Serve 1,000,000 demo jobs; yield the database's URL, a staff key, the port and the server's process."""
    embedded = EmbeddedServer(directory / "fencepost")
    url = embedded.start()
    settings = Settings(database_url=SecretStr(url))
    migrate(settings)
    with open_checked(settings) as databases:
        seed_jobs(databases, JOBS, seed=1, until=UNTIL)
        scopes = frozenset({Scope.JOB_READ})
        key = create_key(databases.ours, name="benchmark", wall=Wall(None), scopes=scopes, expires_at=None)
    port = 3099
    command = [sys.executable, "-m", "api", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}) as process:
        try:
            _wait(port)
            yield url, key, port, process
        finally:
            process.terminate()
    embedded.stop()


def _download(port: int, key: str, file: Path) -> tuple[float, float, int]:
    """Download everything with curl; return the seconds to the first byte and to the last, and the bytes."""
    address = (
        f"http://127.0.0.1:{port}/api/v1/jobs/export?from={(UNTIL - PERIOD):%Y-%m-%dT%H:%M:%SZ}"
        f"&to={UNTIL:%Y-%m-%dT%H:%M:%SZ}"
    )
    form = "%{time_starttransfer} %{time_total} %{size_download}"
    done = subprocess.run(
        ["curl", "-sSf", "-H", f"Authorization: Bearer {key}", "-o", file, "-w", form, address],
        capture_output=True,
        check=True,
        text=True,
    )
    first, seconds, size = done.stdout.split()
    return float(first), float(seconds), int(size)


def _copy(url: str, file: Path) -> float:
    started = time.perf_counter()
    statement = re.sub(r"\s+", " ", PEER.format(file=file))
    subprocess.run(["psql", url, "-qX", "-c", statement], check=True)
    return time.perf_counter() - started


def _memory(process: subprocess.Popen[bytes], which: str) -> float:
    """Return the resident memory of a process in MB: now (VmRSS) or at its greatest (VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split(f"{which}:")[1].split()[0]) / 1000


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not answer")


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    main()
