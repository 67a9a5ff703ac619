"""How quickly a file becomes jobs, against plain COPY of it: `python -m benchmarks.imports`."""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks.figures import seconds
from benchmarks.results import write_section
from benchmarks.server import UNTIL, stored
from core.csv.format import BOM
from core.csv.records import copy_statement
from core.export.job_columns import COLUMNS
from core.instants import print_instant
from core.intake.demo_jobs import PERIOD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--among", type=int, default=0, help="how many jobs are there already; then it is run once")
    parser.add_argument("--keep", type=Path, help="where these are found; they are left with the imported ones removed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        file = directory / "jobs.csv"
        with stored(directory / "from", arguments.jobs, seed=2) as (url, _):
            bounds = ["--from", print_instant(UNTIL - PERIOD), "--to", print_instant(UNTIL)]
            _core(url, "export", *bounds, "-o", str(file))
            if not arguments.among:
                measured = _measure(url, directory / "from" / "postgres", file, arguments.runs, is_emptied=True)
                _report(arguments.jobs, "an empty database", file, measured)
        if arguments.among:
            kept = (arguments.keep or directory) / str(arguments.among)
            with stored(kept, arguments.among) as (url, _):
                measured = _measure(url, kept / "postgres", file, 1, is_emptied=False)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("DELETE FROM jobs WHERE client_id = 'acme'")
            _report(arguments.jobs, f"a database of {arguments.among:,} jobs", file, measured)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds by the clock, and of processors: the server's with all its processes, and the client's."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.processor:.1f} s of processors)"


@dataclass(frozen=True, slots=True)
class _Run:
    """What an import, the same one again, and COPY into text have cost."""

    first: _Cost
    again: _Cost
    plain: _Cost


def _measure(url: str, data: Path, file: Path, runs: int, *, is_emptied: bool) -> list[_Run]:
    measured = []
    for _ in range(runs):
        with psycopg.connect(url, autocommit=True) as connection:
            if is_emptied:
                connection.execute("TRUNCATE jobs, moderation_logs")
            plain = _cost(data, lambda: _copy(connection, file))
        first, again = (_cost(data, lambda: _core(url, "import", "--client", "acme", str(file))) for _ in range(2))
        measured.append(_Run(first, again, plain))
        print(f"import {first}, the same file again {again}, COPY into text {plain}", flush=True)
    return measured


def _cost(data: Path, work: Callable[[], object]) -> _Cost:
    before = _processor_time(data)
    wall = seconds(work)
    return _Cost(wall, _processor_time(data) - before)


def _processor_time(data: Path) -> float:
    """Return the seconds of processors that this process, those it waited for, and the server have used so far.

    The first process of the server has those of all that have ended.
    """
    parent = int((data / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if parent in (int(fields[1]), int(stat.parent.name)):
                is_parent = int(stat.parent.name) == parent
                ticks += sum(map(int, fields[11:15] if is_parent else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK") + sum(os.times()[:4])


def _report(jobs: int, where: str, file: Path, measured: list[_Run]) -> None:
    ratio, again = (
        [
            statistics.median(getattr(cost, name) / getattr(run.plain, name) for run, cost in pairs)
            for name in ("wall", "processor")
        ]
        for pairs in ([(run, run.first) for run in measured], [(run, run.again) for run in measured])
    )
    first = statistics.median(run.first.wall for run in measured)
    plain = statistics.median(run.plain.wall for run in measured)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores that the command shares with the server, load "
        f"{os.getloadavg()[1]:.0f}; median of {len(measured)}.",
        "The peer is COPY of the same file into text, without a check, an index or a merge. Ratios by the clock, and",
        "by the processor time of client and server together. Made by `python -m benchmarks.imports`.",
        "",
        "| file | import | records a second | COPY | ratio | by processor | the file again | by processor | memory |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| {file.stat().st_size / 1e6:.0f} MB | {first:.1f} s | {jobs / first:,.0f} | {plain:.1f} s "
        f"| **{ratio[0]:.1f} ×** | {ratio[1]:.1f} × | {again[0]:.1f} × | {again[1]:.1f} × | {peak:.0f} MB |",
    ]
    print(lines[-1], flush=True)
    write_section(f"Importing {jobs:,} jobs into {where}", lines)


def _copy(connection: psycopg.Connection, file: Path) -> None:
    """Copy the file into a table of text without an index, which is the least that anybody has to do."""
    connection.execute("DROP TABLE IF EXISTS plain")
    connection.execute(f"CREATE TABLE plain ({', '.join(f'{column} text' for column in COLUMNS)})".encode())
    with (
        connection.cursor() as cursor,
        cursor.copy(copy_statement("plain", COLUMNS)) as copy,
        file.open("rb") as source,
    ):
        source.read(len(BOM))
        source.readline()
        while block := source.read(256 * 1024):
            copy.write(block)


def _core(url: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "core", *arguments], check=True, env=os.environ | {"DATABASE_URL": url})


if __name__ == "__main__":
    main()
