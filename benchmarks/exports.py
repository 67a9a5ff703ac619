"""The endpoint against what people use today, in alternation: each run times all of them in turn."""

import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from benchmarks.admin_peers import CREATE_VIEW
from benchmarks.figures import p95, seconds
from benchmarks.peers import QUERY, SAME_BYTES, add_conditions
from benchmarks.server import ROOT, UNTIL, Bench, ask_health
from core.jobs.access import make_access
from core.jobs.filter import DateRange, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_jobs
from core.jobs.wall import Wall

ADMIN_PORT = 3098

# What somebody asks of psql who asks the same.
PSQL_CONDITIONS = {
    ("decision", "reject"): "j.is_prohibited",
    ("category", "underage"): "l.category_underage",
    ("client_id", "demo-eastwind"): "j.client_id = 'demo-eastwind'",
}

# What one of the panels still exports within minutes.
ADMIN_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """The endpoint's time divided by that of a peer, as the median over the runs."""

    peer: str
    ratio: float
    ours: float
    theirs: float
    rows: str


def against_clients(bench: Bench, runs: int) -> tuple[list[Ratio], float]:
    """Time exports of all jobs to a file; return the ratios and the median seconds to our first byte."""
    file = bench.directory / "jobs.csv"
    module = [sys.executable, "-m", "benchmarks.peers"]
    peers: dict[str, list[str]] = {
        "psql \\copy": ["psql", bench.url, "-qX", "-c", _copy(QUERY, file)],
        "psql \\copy, same bytes": ["psql", bench.url, "-qX", "-c", _copy(SAME_BYTES, file)],
        "pandas read_sql + to_csv": [*module, "pandas", bench.url, str(file)],
        "SQLAlchemy stream_results + csv.writer": [*module, "sqlalchemy", bench.url, str(file)],
    }
    ours: list[float] = []
    firsts: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(runs):
        first, total, _size = bench.download(file)
        ours.append(total)
        firsts.append(first)
        for name, command in peers.items():
            theirs[name].append(_time(command))
    rows = "all jobs"
    return [_ratio(name, ours, times, rows) for name, times in theirs.items()], statistics.median(firsts)


def against_psql(bench: Bench, runs: int, *, days: int, more: dict[str, str]) -> tuple[Ratio, float]:
    """Time exports of a part of the jobs; return the ratio to `psql` and the median seconds to our first byte."""
    file, start = bench.directory / "jobs.csv", UNTIL - timedelta(days=days)
    conditions = [f"j.created_at >= '{start:%Y-%m-%dT%H:%M:%SZ}'", f"j.created_at < '{UNTIL:%Y-%m-%dT%H:%M:%SZ}'"]
    conditions += [PSQL_CONDITIONS[each] for each in more.items()]
    command = ["psql", bench.url, "-qX", "-c", _copy(add_conditions(QUERY, conditions), file)]
    asked = "".join(f"&{name}={value}" for name, value in more.items())
    ours, firsts, theirs = [], [], []
    for _ in range(runs):
        first, total, _size = bench.download(file, start=start, more=asked)
        ours.append(total)
        firsts.append(first)
        theirs.append(_time(command))
    rows = f"{', '.join(f'{name} {value}' for name, value in more.items())}, {days} days"
    return _ratio("psql \\copy", ours, theirs, rows), statistics.median(firsts)


def against_panels(bench: Bench, runs: int) -> list[Ratio]:
    """Time exports of the first jobs as the admin panels do them."""
    end = _end_of(bench, ADMIN_ROWS)
    with bench.databases.ours.transaction(timeout=60) as connection:
        connection.execute(text(CREATE_VIEW.format(rows=ADMIN_ROWS)))
    file = bench.directory / "jobs.csv"
    found = []
    for name, fetch in (("sqladmin", _fetch_sqladmin), ("starlette-admin", _fetch_starlette_admin)):
        ours, theirs = [], []
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.admin_peers", name, bench.url, str(ADMIN_PORT)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            try:
                _wait_for_panel()
                for _ in range(runs):
                    ours.append(bench.download(file, end=end)[1])
                    theirs.append(seconds(lambda fetch=fetch: fetch(file)))  # type: ignore[misc]
                    lines = file.read_bytes().count(b"\n")
                    assert lines > ADMIN_ROWS, f"{name} gave {lines} lines"
            finally:
                process.terminate()
        found.append(_ratio(name, ours, theirs, f"{ADMIN_ROWS:,} jobs"))
    return found


def responsiveness(bench: Bench, exports: int) -> tuple[float, float]:
    """Ask `/health` and read pages while so many exports run; return both p95 in milliseconds."""
    readers = [
        threading.Thread(target=bench.download, args=(bench.directory / f"{number}.csv",)) for number in range(exports)
    ]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + 5
    health, pages = [], []
    while any(reader.is_alive() for reader in readers) if readers else time.monotonic() < deadline:
        health.append(seconds(ask_health))
        pages.append(seconds(lambda: _read_page(bench)))
        time.sleep(0.01)
    for reader in readers:
        reader.join()
    return p95(health), p95(pages)


def _copy(query: str, file: Path) -> str:
    return f"\\copy ({' '.join(query.split())}) TO '{file}' WITH (FORMAT csv, HEADER)"


def _ratio(name: str, ours: list[float], theirs: list[float], rows: str) -> Ratio:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Ratio(name, ratio, statistics.median(ours), statistics.median(theirs), rows)


def _time(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, cwd=ROOT, check=True))


def _end_of(bench: Bench, jobs: int) -> datetime:
    """Find the moment before which so many jobs were created."""
    with bench.databases.source.transaction(timeout=60) as connection:
        row = connection.exec_driver_sql(
            f"SELECT created_at FROM jobs ORDER BY created_at, job_id OFFSET {jobs} LIMIT 1"
        )
        found: datetime = row.scalar_one()
    return found


def _read_page(bench: Bench) -> None:
    source = bench.databases.source
    week = JobFilter(range=DateRange(UNTIL - timedelta(days=7), UNTIL))
    with source.transaction(timeout=60) as connection:
        page_jobs(connection, week, make_access(bench.databases, Wall(None)), after=None, limit=50, texts=Texts.ALL)


def _fetch_sqladmin(file: Path) -> None:
    _curl(file, f"http://127.0.0.1:{ADMIN_PORT}/admin/job/export/csv")


def _fetch_starlette_admin(file: Path) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN_PORT}/admin/job/list") as page:
        found = re.search(r"starlette_admin_csrftoken=([^;]+)", page.headers["set-cookie"])
    assert found is not None
    address = f"http://127.0.0.1:{ADMIN_PORT}/admin/_api/job/action?name=export&all=1"
    form = ["-d", "format=csv", "-d", "scope=all", "-H", f"X-CSRFToken: {found[1]}", "-b", found[0]]
    _curl(file, address, *form)


def _curl(file: Path, address: str, *options: str) -> None:
    subprocess.run(["curl", "-sSf", "-o", str(file), *options, address], check=True)


def _wait_for_panel() -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ADMIN_PORT}/admin/").close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the admin panel does not answer")
