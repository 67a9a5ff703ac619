"""Where the processor time of an export goes: `python -m benchmarks.export_cost`.

Each part is left out of the export's own query and put back, one more at a time; then what else could send the same
jobs. The least of several runs counts: whatever else the machine does only adds to processor time.

What was tried and costs as much at Fencepost as it saves the server: times as PostgreSQL prints them, brought to fixed
width by NumPy and Arrow, a block at a time; rows in binary, decoded and quoted likewise; and other drivers: Arrow's
takes 1.5 s for what libpq hands over in 0.8, asyncpg about as long as libpq. Sending many rows as one (`array_agg`)
costs the server more than their messages. `to_char` is the cheapest of what gives a fixed width, `to_json` and
`date || 'T' || time` are dearer: so times are written once, when a job is, and kept with its facts.
"""

import argparse
import asyncio
import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import ColumnElement, Select, literal_column

from benchmarks.peers import QUERY, SAME_BYTES
from benchmarks.results import write_section
from benchmarks.server import START, UNTIL, stored
from core.csv.copy_out import copy_csv, render
from core.db.databases import Databases
from core.db.schema import jobs
from core.db.session_settings import EXPORT_SESSION, set_config
from core.export.job_columns import COLUMNS, export_query
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.wall import Wall

# A part, and the columns that it adds.
PARTS = (
    ("jobs and their facts, merged in order", ("job_id",)),
    ("texts, quoted as CSV", ("type", "status", "prompt", "reason")),
    ("`is_prohibited` as text", ("is_prohibited",)),
    ("two times as text, kept with the facts", ("created_at", "completed_at")),
    ("three categories out of `code`", tuple(category.column for category in Category)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="where the tables stay, and are found the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.keep or Path(temporary)
        with stored(directory / str(arguments.jobs), arguments.jobs) as (url, databases):
            rows = asyncio.run(_measure(url, databases, arguments.runs, arguments.jobs / 1_000_000))
    print("\n".join(rows))
    write_section("Where the processor time of an export goes", rows)


async def _measure(url: str, databases: Databases, runs: int, millions: float) -> list[str]:
    access = make_access(databases, Wall(None))
    query = export_query(JobFilter(range=DateRange(START, UNTIL)), access)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(set_config(EXPORT_SESSION))
        statements = _statements(connection, query, access)
        times: dict[str, list[float]] = {name: [] for name in (*statements, "blocks", "hash")}
        for _ in range(runs):
            for name, statement in statements.items():
                times[name].append(await _copy(connection, statement))
            blocks, digest = await _take(connection, query, access)
            times["blocks"].append(blocks)
            times["hash"].append(digest)
    least = {name: min(each) / millions for name, each in times.items()}
    rows = ["Seconds of processor a million jobs, the least of several runs.", "", "| the server | |", "|---|---|"]
    before = 0.0
    for name, _ in PARTS:
        rows.append(f"| {name} | {least[name] - before:.2f} s |")
        before = least[name]
    rows += [f"| **the export** | **{before:.2f} s** |", "", "| in its place, the server | |", "|---|---|"]
    rows += [f"| {name} | {least[name]:.2f} s |" for name in statements if name not in dict(PARTS)]
    rows += ["", "| Fencepost | |", "|---|---|"]
    rows.append(f"| rows out of libpq, one `get_copy_data` each, into blocks | {least['blocks']:.2f} s |")
    return [*rows, f"| SHA-256 | {least['hash']:.2f} s |"]


def _statements(connection: psycopg.AsyncConnection, query: Select[Any], access: JobAccess) -> dict[str, str]:
    """Write the COPY of each part with those before it, and of what could be asked in place of the export."""
    statements, names = {}, set[str]()
    for part, more in PARTS:
        names |= set(more)
        columns = [column for column in query.selected_columns if column.key in names]
        statements[part] = _csv(render(connection, query.with_only_columns(*columns), access.topology))
    as_stored: list[ColumnElement[Any]] = [
        jobs.c[name] for name in COLUMNS if name in jobs.c and name != "is_prohibited"
    ]
    plain = render(connection, query.with_only_columns(*as_stored, literal_column("facts.code")), access.topology)
    statements["times as PostgreSQL prints them, and `code`"] = _csv(plain)
    statements["the same in binary"] = f"COPY ({plain}) TO STDOUT (FORMAT binary)"
    statements["psql's query: the latest log of each job"] = _csv(QUERY)
    statements["psql's query, same bytes"] = _csv(SAME_BYTES)
    return statements


def _csv(query: str) -> str:
    return f"COPY ({query}) TO STDOUT (FORMAT csv)"


async def _copy(connection: psycopg.AsyncConnection, statement: str) -> float:
    """Run a COPY and throw away what it gives; return the seconds of processor of the server's process."""
    process = connection.info.backend_pid
    before = _processor(process)
    async with connection.cursor().copy(statement.encode()) as copy:
        while await copy.read():
            pass
    return _processor(process) - before


def _processor(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


async def _take(connection: psycopg.AsyncConnection, query: Select[Any], access: JobAccess) -> tuple[float, float]:
    """Take all blocks of an export; return the seconds of our processor for them, and for their hash."""
    digest, hashing = hashlib.sha256(), 0.0
    began = time.process_time()
    async for block in copy_csv(connection, query, access.topology):
        hashing -= time.process_time()
        digest.update(block.data)
        hashing += time.process_time()
    return time.process_time() - began - hashing, hashing


if __name__ == "__main__":
    main()
