"""How quickly a file becomes jobs, against plain COPY of it: `python -m benchmarks.imports`."""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
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
                _report(arguments.jobs, "an empty database", file, _measure(url, file, arguments.runs, is_emptied=True))
        if arguments.among:
            kept = (arguments.keep or directory) / str(arguments.among)
            with stored(kept, arguments.among) as (url, _):
                measured = _measure(url, file, 1, is_emptied=False)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("DELETE FROM jobs WHERE client_id = 'acme'")
            _report(arguments.jobs, f"a database of {arguments.among:,} jobs", file, measured)


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds of an import, of the same one again, and of COPY into text."""

    first: float
    again: float
    plain: float


def _measure(url: str, file: Path, runs: int, *, is_emptied: bool) -> list[_Run]:
    measured = []
    for _ in range(runs):
        with psycopg.connect(url, autocommit=True) as connection:
            if is_emptied:
                connection.execute("TRUNCATE jobs, moderation_logs")
            plain = _copy(connection, file)
        first, again = (seconds(lambda: _core(url, "import", "--client", "acme", str(file))) for _ in range(2))
        measured.append(_Run(first, again, plain))
        print(f"import {first:.1f} s, the same file again {again:.1f} s, COPY into text {plain:.1f} s", flush=True)
    return measured


def _report(jobs: int, where: str, file: Path, measured: list[_Run]) -> None:
    ratio = statistics.median(run.first / run.plain for run in measured)
    again = statistics.median(run.again / run.plain for run in measured)
    first, plain = statistics.median(run.first for run in measured), statistics.median(run.plain for run in measured)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores that the command shares with the server; median of "
        f"{len(measured)}. The peer is COPY of the same",
        "file into text, without a check, an index or a merge. Made by `python -m benchmarks.imports`.",
        "",
        "| file | import | records a second | COPY | ratio | the same file again, ratio | memory |",
        "|---|---|---|---|---|---|---|",
        f"| {file.stat().st_size / 1e6:.0f} MB | {first:.1f} s | {jobs / first:,.0f} "
        f"| {plain:.1f} s | **{ratio:.1f} ×** | {again:.1f} × | {peak:.0f} MB |",
    ]
    print(lines[-1], flush=True)
    write_section(f"Importing {jobs:,} jobs into {where}", lines)


def _copy(connection: psycopg.Connection, file: Path) -> float:
    """Copy the file into a table of text without an index, which is the least that anybody has to do."""
    connection.execute("DROP TABLE IF EXISTS plain")
    connection.execute(f"CREATE TABLE plain ({', '.join(f'{column} text' for column in COLUMNS)})".encode())
    began = time.perf_counter()
    with (
        connection.cursor() as cursor,
        cursor.copy(copy_statement("plain", COLUMNS)) as copy,
        file.open("rb") as source,
    ):
        source.read(len(BOM))
        source.readline()
        while block := source.read(256 * 1024):
            copy.write(block)
    return time.perf_counter() - began


def _core(url: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "core", *arguments], check=True, env=os.environ | {"DATABASE_URL": url})


if __name__ == "__main__":
    main()
