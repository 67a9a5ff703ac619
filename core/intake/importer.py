"""Import of jobs from files in the export's own format, all or nothing a file.

PostgreSQL parses the file (COPY) into a staging table of text, so that a null and an empty string stay two things; what
is wrong with a value is found there, and what is right is merged.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from core.actor import Actor
from core.audit.events import Event, append
from core.characters import check_shown
from core.csv.format import write_aside
from core.db.database import Database
from core.db.databases import Databases
from core.db.partitions import make_months
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.export.job_columns import COLUMNS
from core.intake.demo import PREFIX
from core.intake.gzip_blocks import read_blocks
from core.intake.merging import (
    MERGE,
    PREPARE,
    _instant,
    add_logs,
    check_clients,
    patience,
    remove_demo,
)
from core.intake.staging import (
    find_wrong,
    stage,
    take_guards,
)

# What stands before the columns of records that were set aside. An import leaves these out, so that a file of such
# records can be imported once they are right.
ASIDE = ("file", "record", "wrong")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: records read, jobs by what became of them, new logs, and records and columns left out."""

    records: int
    inserted: int
    updated: int
    unchanged: int
    logs: int
    skipped: int
    ignored_columns: tuple[str, ...]
    demo_removed: bool
    first: datetime | None
    last: datetime | None

    def __str__(self) -> str:
        return (
            f"{self.records:,} records: {self.inserted:,} new jobs, {self.updated:,} changed, "
            f"{self.unchanged:,} as they were, {self.logs:,} new logs."
        )


def import_jobs(
    databases: Databases,
    file: BinaryIO,
    by: Actor,
    *,
    client_id: str,
    name: str,
    spreadsheet_safe: bool = False,
    skipped: BinaryIO | None = None,
    advance: Callable[[int], None] = lambda _: None,
    origin: Mapping[str, str] | None = None,
    along: Callable[[Connection], None] = lambda _: None,
) -> Imported:
    """Import a file, plain or gzip, as jobs of a client; `name` is what messages call it.

    `skipped` gets the records that are wrong, with their reasons; without it the first of them ends the import.
    `advance` hears how many more bytes of the file were read. `origin` is added to what the audit keeps, and what
    `along` does is committed with the jobs or not at all. Raises `NotPossible` where the file cannot be imported as it
    is, in one sentence without any text of a prompt; the database is then as before.
    """
    check_importable(databases, client_id)
    digest = hashlib.sha256()
    with _taken_back(skipped), databases.ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        # An import that is killed gives its lock back, so that the next one can begin at once.
        connection.execute(text("SET LOCAL client_connection_check_interval = '1s'"))
        # A file is sorted twice, prompts and all; in a file on disk that takes half as long again.
        connection.execute(text("SET LOCAL work_mem = '256MB'"))
        imported = _merge_file(
            databases.ours,
            connection,
            read_blocks(file, name, digest, advance),
            client_id,
            name,
            spreadsheet_safe,
            skipped,
        )
        details = {
            "client": client_id,
            "sha256": digest.hexdigest(),
            "records": imported.records,
            "inserted": imported.inserted,
            "updated": imported.updated,
            "logs": imported.logs,
            "skipped": imported.skipped,
            **(origin or {}),
        }
        along(connection)
        append(connection, databases.audit_key, Event.JOBS_IMPORTED, by, subject=client_id, details=details)
    return imported


def check_importable(databases: Databases, client_id: str) -> None:
    """Raise `NotPossible` where no jobs can be imported, and `InvalidParameter` where none of this client can."""
    if not databases.jobs_are_ours:
        raise NotPossible("The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: unset it to import.")
    if client_id.startswith(PREFIX) or not client_id.strip():
        raise InvalidParameter(f"client cannot be empty or begin with {PREFIX}: choose another one.")
    check_shown("client", client_id)


@contextmanager
def _taken_back(skipped: BinaryIO | None) -> Iterator[None]:
    """Take back what an import has set aside where the import itself is taken back."""
    start = 0 if skipped is None else skipped.tell()
    try:
        yield
    except BaseException as error:
        if skipped is not None:
            skipped.seek(start)
            skipped.truncate()
        if isinstance(error, OSError):
            raise NotPossible(
                f"The file for records that are wrong cannot be written: {error.strerror}. Make room there, or name "
                "another one."
            ) from None
        raise


def tidy(database: Database) -> None:
    """Do what PostgreSQL would do by itself after a while; what is counted ahead is left to the servers."""
    # What was imported is there, whoever keeps the tables busy now.
    with suppress(DatabaseUnavailable):
        database.vacuum("jobs", "moderation_logs")


def _merge_file(
    database: Database,
    connection: Connection,
    blocks: Iterator[bytes],
    client_id: str,
    name: str,
    spreadsheet_safe: bool,
    skipped: BinaryIO | None,
) -> Imported:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    ignored, bad = stage(driver, blocks, name, skipped)
    wrong = find_wrong(connection, name, is_fatal=skipped is None)
    if wrong and skipped is not None:
        bad += wrong
        columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        aside = sql.SQL("SELECT {}::text, record, wrong, {} FROM staged_jobs WHERE wrong IS NOT NULL ORDER BY record")
        write_aside(driver, aside.format(sql.Literal(name), columns), skipped)
        connection.execute(text("DELETE FROM staged_jobs WHERE wrong IS NOT NULL"))
    if skipped is not None:
        # What was set aside must be safe before the rest is.
        skipped.flush()
    if spreadsheet_safe:
        take_guards(connection)
    total, first, last = _make_months(database, connection)
    # One import after the other, however long each takes; readers are not kept waiting.
    with patience(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost imports', 0))"))
    connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
    demo_removed = remove_demo(connection)
    # Behind the lock: whatever others have brought meanwhile is seen.
    check_clients(connection, client_id, name)
    connection.execute(PREPARE)
    connection.execute(text("ANALYZE import_jobs (job_id)"))
    inserted, updated = connection.execute(MERGE, {"client_id": client_id}).one()
    distinct = connection.execute(text("SELECT count(*) FROM import_jobs")).scalar_one()
    logs = connection.execute(add_logs(client_id)).scalar_one()
    return Imported(
        total + bad, inserted, updated, distinct - inserted - updated, logs, bad, ignored, demo_removed, first, last
    )


def _make_months(database: Database, connection: Connection) -> tuple[int, datetime | None, datetime | None]:
    """Make the months that the records need, where jobs are in months; return how many records, the first and the last.

    On a connection of its own, before this one uses the jobs: nobody waits for the end of the import then.
    """
    months = connection.execute(
        text(f"""
            SELECT count(*), min(created), max(created)
            FROM (SELECT {_instant("created_at")} AS created FROM staged_jobs) AS staged
            GROUP BY date_trunc('month', created, 'UTC')
        """)
    ).all()
    # Others keep the place of what has no month busy: these jobs stay there, too, until `core migrate` moves them.
    with suppress(DatabaseUnavailable):
        make_months(database.transaction, [first for _, first, _ in months])
    if not months:
        return 0, None, None
    return sum(row[0] for row in months), min(row[1] for row in months), max(row[2] for row in months)
