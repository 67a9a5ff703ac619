"""What a service pays for the facts beside its jobs: `python -m benchmarks.write_cost`.

Inserts one job and then its log, each in a transaction of its own, as a service does, and both in one; with the
triggers that keep the facts, and without.
"""

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg

from benchmarks.results import write_section
from benchmarks.server import stored

JOB = "INSERT INTO jobs (job_id, type, status, created_at, is_prohibited, prompt, reason, client_id)"
JOB += " VALUES (%s, 'prompt', 'completed', %s, true, 'a lighthouse by the sea', 'rule 7', 'acme')"
LOG = "INSERT INTO moderation_logs (job_id, created_at, category_ai_adult_general, category_underage, category_nsfw)"
LOG += " VALUES (%s, %s, false, false, true)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    rows = ["| | ratio | with facts | without |", "|---|---|---|---|"]
    with (
        tempfile.TemporaryDirectory() as directory,
        stored(Path(directory), arguments.jobs) as (url, _),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        for name, is_apart in (("a transaction each", True), ("in one transaction", False)):
            taken: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(arguments.runs):
                for has_facts in (True, False):
                    _switch(connection, has_facts=has_facts)
                    taken[has_facts].append(_insert(connection, arguments.pairs, is_apart=is_apart))
            ratio = statistics.median(a / b for a, b in zip(taken[True], taken[False], strict=True))
            kept, plain = (statistics.median(taken[has_facts]) * 1000 for has_facts in (True, False))
            rows.append(f"| {name} | **{ratio:.2f} ×** | {kept:.2f} ms | {plain:.2f} ms |")
            print(rows[-1], flush=True)
    write_section("One job and its log inserted", rows)


def _switch(connection: psycopg.Connection, *, has_facts: bool) -> None:
    for table in ("jobs", "moderation_logs"):
        for event in ("insert", "update", "delete"):
            verb = "ENABLE" if has_facts else "DISABLE"
            connection.execute(f"ALTER TABLE {table} {verb} TRIGGER job_facts_{event}".encode())


def _insert(connection: psycopg.Connection, pairs: int, *, is_apart: bool) -> float:
    """Insert that many jobs with a log each; return the seconds of one of them."""
    began = time.perf_counter()
    if is_apart:
        for _ in range(pairs):
            _insert_one(connection)
    else:
        with connection.transaction():
            for _ in range(pairs):
                _insert_one(connection)
    return (time.perf_counter() - began) / pairs


def _insert_one(connection: psycopg.Connection) -> None:
    job, now = uuid4(), datetime.now(UTC)
    connection.execute(JOB, (job, now))
    connection.execute(LOG, (job, now))


if __name__ == "__main__":
    main()
