"""How quickly a file becomes jobs, against plain COPY of it: `python -m benchmarks.imports [--jobs N] [--runs R]`."""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from pydantic import SecretStr

from benchmarks.results import write_section
from core.csv.format import BOM
from core.csv.records import copy_statement
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.export.job_columns import COLUMNS
from core.instants import print_instant
from core.intake.demo import seed_jobs
from core.intake.demo_jobs import PERIOD
from core.settings import Settings

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedServer(Path(directory) / "server")
        url = server.start()
        settings = Settings(database_url=SecretStr(url))
        migrate(settings)
        databases = open_databases(settings)
        seed_jobs(databases, arguments.jobs, seed=1, until=UNTIL)
        databases.close()
        file = Path(directory) / "jobs.csv"
        bounds = ["--from", print_instant(UNTIL - PERIOD), "--to", print_instant(UNTIL)]
        _core(url, "export", *bounds, "-o", str(file))
        ratios, seconds, again_ratios = [], [], []
        for _ in range(arguments.runs):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("TRUNCATE jobs, moderation_logs")
                plain = _copy(connection, file)
            began = time.perf_counter()
            _core(url, "import", "--client", "acme", str(file))
            took = time.perf_counter() - began
            began = time.perf_counter()
            _core(url, "import", "--client", "acme", str(file))
            again = time.perf_counter() - began
            ratios.append(took / plain)
            again_ratios.append(again / plain)
            seconds.append(took)
            print(
                f"import {took:.1f} s, {arguments.jobs / took:,.0f} jobs a second; the same file again {again:.1f} s; "
                f"COPY into text {plain:.1f} s"
            )
        middle_ratio, again_ratio = statistics.median(ratios), statistics.median(again_ratios)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        size = f"{file.stat().st_size / 1e6:.0f} MB"
        print(f"{size}; import / COPY = {middle_ratio:.2f} (median), the same file again {again_ratio:.2f}")
        print(f"largest child process: {peak:.0f} MB resident")
        middle = statistics.median(seconds)
        lines = [
            f"{datetime.now(UTC):%Y-%m-%d}, 2 cores that the command shares with the server; median of {len(seconds)}. "
            "The peer is COPY of the same file into text, without",
            "a check, an index or a merge. Made by `python -m benchmarks.imports`.",
            "",
            "| file | import | records a second | COPY | ratio | the same file again, ratio | memory |",
            "|---|---|---|---|---|---|---|",
            f"| {size} | {middle:.1f} s | {arguments.jobs / middle:,.0f} "
            f"| {plain:.1f} s | **{middle_ratio:.1f} ×** | {again_ratio:.1f} × | {peak:.0f} MB |",
        ]
        write_section(f"Importing {arguments.jobs:,} jobs into an empty database", lines)
        server.stop()


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
