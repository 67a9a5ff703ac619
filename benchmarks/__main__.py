"""Measure the endpoint and the pages: `make bench`, or `python -m benchmarks [--jobs N] [--runs N]`.

Makes a PostgreSQL of its own with demo jobs, measures in alternation against what people use today, and writes
`benchmarks/RESULTS.md`. Needs Linux (memory is read from /proc), `curl` and `psql`.
"""

import http.client
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from pydantic import SecretStr

from benchmarks.peers import QUERY
from core.access import Scope
from core.api_keys import create_key
from core.commands import open_checked
from core.database import Databases, migrate
from core.demo import PERIOD, seed_jobs
from core.embedded import EmbeddedServer
from core.filters import DateRange, JobFilter
from core.query import PageKey, Wall, count_jobs, page_jobs
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("RESULTS.md")
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
PORT = 3099

FILTERS = {"all jobs": {}, "rejected": {"decision": "reject"}, "one client": {"client_id": "demo-eastwind"}}


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

    def download(self, file: Path) -> tuple[float, float, int]:
        """Download everything with curl; return the seconds to the first byte and to the last, and the bytes."""
        bounds = f"from={(UNTIL - PERIOD):%Y-%m-%dT%H:%M:%SZ}&to={UNTIL:%Y-%m-%dT%H:%M:%SZ}"
        form = "%{time_starttransfer} %{time_total} %{size_download}"
        command = ["curl", "-sSf", "-H", f"Authorization: Bearer {self.key}", "-o", str(file), "-w", form]
        address = f"http://127.0.0.1:{PORT}/api/v1/jobs/export?{bounds}"
        first, seconds, size = subprocess.check_output([*command, address], text=True).split()
        return float(first), float(seconds), int(size)


@click.command()
@click.option("--jobs", default=1_000_000, show_default=True)
@click.option("--runs", default=5, show_default=True, help="Runs of which the median counts.")
def main(jobs: int, runs: int) -> None:
    """Measure, print and write RESULTS.md."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as directory, _bench(Path(directory), jobs) as bench:
        before = bench.memory("VmRSS")
        lines += _against_peers(bench, runs)
        lines.append(f"| memory of the server during one export | + {bench.memory('VmHWM') - before:.0f} MB |")
        lines += _responsiveness(bench)
        lines.append(f"| memory of the server during four exports | + {bench.memory('VmHWM') - before:.0f} MB |")
        lines += _pages(bench, jobs)
    _write(lines, jobs, runs)


def _against_peers(bench: Bench, runs: int) -> list[str]:
    """Time the endpoint and each peer in turn, and return the median of the ratios of a run."""
    file = bench.directory / "jobs.csv"
    copy = f"\\copy ({' '.join(QUERY.split())}) TO '{file}' WITH (FORMAT csv, HEADER)"
    module = [sys.executable, "-m", "benchmarks.peers"]
    peers: dict[str, list[str]] = {
        "`psql \\copy`": ["psql", bench.url, "-qX", "-c", copy],
        "pandas `read_sql` + `to_csv`": [*module, "pandas", bench.url, str(file)],
        "SQLAlchemy `stream_results` + `csv.writer`": [*module, "sqlalchemy", bench.url, str(file)],
    }
    ours: list[float] = []
    firsts: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    size = 0
    for _ in range(runs):
        first, seconds, size = bench.download(file)
        ours.append(seconds)
        firsts.append(first)
        for name, command in peers.items():
            theirs[name].append(_seconds(lambda command=command: subprocess.run(command, cwd=ROOT, check=True)))  # type: ignore[misc]
    lines = []
    for name, times in theirs.items():
        ratio = statistics.median(a / b for a, b in zip(ours, times, strict=True))
        detail = f"{statistics.median(ours):.1f} s against {statistics.median(times):.1f} s, {size / 1e6:.0f} MB"
        lines.append(f"| endpoint through `curl` / {name} | **{ratio:.2f} ×** ({detail}) |")
    return [*lines, f"| first byte of the endpoint | {statistics.median(firsts) * 1000:.0f} ms |"]


def _responsiveness(bench: Bench) -> list[str]:
    """Ask `/health` again and again while no, one and four exports run."""
    lines = []
    for exports in (0, 1, 4):
        workers = [
            threading.Thread(target=bench.download, args=(bench.directory / f"{number}.csv",))
            for number in range(exports)
        ]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + 3
        times = []
        while any(worker.is_alive() for worker in workers) if workers else time.monotonic() < deadline:
            times.append(_seconds(_ask_health))
            time.sleep(0.01)
        for worker in workers:
            worker.join()
        lines.append(f"| `/health` p95 with {exports} exports | {_p95(times):.0f} ms |")
    return lines


def _pages(bench: Bench, jobs: int) -> list[str]:
    """Read first and deep pages, and bounded counts, as the dashboard does; database time alone."""
    source = bench.databases.source
    folding = source.folding()
    lines = []
    for name, given in FILTERS.items():
        job_filter = JobFilter.from_params(
            (JobFilter(range=DateRange(UNTIL - PERIOD, UNTIL)).to_params() | given).items()
        )
        for place, after in (("first", None), ("deep", _deep_key(bench.databases, jobs))):

            def read(job_filter: JobFilter = job_filter, after: PageKey | None = after) -> None:
                with source.transaction(timeout=60) as connection:
                    page_jobs(connection, job_filter, Wall(None), folding, after=after, limit=50, with_text=True)

            times = [_seconds(read) for _ in range(40)]
            lines.append(f"| {place} page, {name}, p95 | {_p95(times):.0f} ms |")

        def count(job_filter: JobFilter = job_filter) -> None:
            with source.transaction(timeout=60) as connection:
                count_jobs(connection, job_filter, Wall(None), folding, limit=10_001)

        lines.append(f"| count to 10,000, {name}, p95 | {_p95([_seconds(count) for _ in range(40)]):.0f} ms |")
    return lines


def _deep_key(databases: Databases, jobs: int) -> PageKey:
    """Find the job nine tenths down the list."""
    with databases.source.transaction(timeout=60) as connection:
        row = connection.exec_driver_sql(
            f"SELECT created_at, job_id FROM jobs ORDER BY created_at DESC, job_id DESC OFFSET {jobs * 9 // 10} LIMIT 1"
        ).one()
    return PageKey(*row)


@contextmanager
def _bench(directory: Path, jobs: int) -> Iterator[Bench]:
    """Serve demo jobs from a PostgreSQL that lives as long as the block."""
    embedded = EmbeddedServer(directory / "fencepost")
    url = embedded.start()
    settings = Settings(database_url=SecretStr(url))
    migrate(settings)
    environment = os.environ | {
        "DATABASE_URL": url,
        "FENCEPOST_EXPORTS_PER_CLIENT": "4",
        "FENCEPOST_REQUESTS_PER_MINUTE": "100000",
    }
    with open_checked(settings) as databases:
        seed_jobs(databases, jobs, seed=1, until=UNTIL)
        scopes = frozenset({Scope.JOB_READ})
        key = create_key(databases.ours, name="benchmark", wall=Wall(None), scopes=scopes, expires_at=None)
        command = [sys.executable, "-m", "api", "--port", str(PORT)]
        with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
            try:
                _wait_until_it_answers()
                yield Bench(url, key, process, databases, directory)
            finally:
                process.terminate()
    embedded.stop()


def _ask_health() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.close()


def _wait_until_it_answers() -> None:
    for _ in range(300):
        try:
            _ask_health()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not answer")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _p95(times: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return sorted(times)[int(len(times) * 0.95)] * 1000


def _write(lines: list[str], jobs: int, runs: int) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in ("psycopg", "sqlalchemy", "pandas", "uvicorn"))
    text = "\n".join(
        [
            "# Results",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {jobs:,} demo jobs, median of {runs} runs in alternation; {machine};",
            f"embedded PostgreSQL 18, {versions}.",
            "Made by `make bench`. The machine is small and noisy: the ratios count.",
            "",
            "| measure | result |",
            "|---|---|",
            *lines,
            "",
        ]
    )
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
