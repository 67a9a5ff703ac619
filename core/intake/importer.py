"""Import of jobs from files, all or nothing a file.

Blocks of a file become records, records typed rows of a staging table, and those jobs and logs; each of these steps is
a module of its own.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import psycopg
from sqlalchemy import Connection, text

from core.actor import Actor
from core.audit.events import Event, append
from core.characters import check_shown
from core.db.database import Database
from core.db.databases import Databases
from core.db.partitions import is_partitioned, make_months
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.intake.demo import PREFIX
from core.intake.guards import check_guards
from core.intake.gzip_blocks import read_blocks
from core.intake.job_file import JobFile
from core.intake.merging import merge_records, remove_demo
from core.intake.staging import stage_records
from core.intake.totals import add_to_totals
from core.tracing import span

# For the length of an import. A statement takes as long as the file is large; an import that is killed gives its lock
# back at once; what is joined and sorted is a whole file, for which pages' plans are wrong. Indexes that are made anew
# stay where they were.
_SETTINGS = {
    "statement_timeout": "0",
    "client_connection_check_interval": "1s",
    "work_mem": "256MB",
    "enable_seqscan": "on",
    "default_tablespace": "",
    # Where jobs lie over the nodes of Citus, those of a file come to the coordinator on their way.
    "citus.max_intermediate_result_size": "-1",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: records read, jobs by what became of them, new logs, and what was left out."""

    records: int
    inserted: int
    updated: int
    unchanged: int
    logs: int
    skipped: int
    blank: int
    ignored_columns: tuple[str, ...]
    demo_removed: bool
    first: datetime | None
    last: datetime | None
    # Records of jobs that were erased for good, which do not come back.
    erased: int = 0
    # Records of jobs of which the same file has another one, which counts.
    repeated: int = 0

    @property
    def has_changed(self) -> bool:
        """Whether the tables are not as they were before."""
        return bool(self.inserted or self.updated or self.logs or self.demo_removed)

    def __str__(self) -> str:
        return (
            f"{count(self.records, 'record')}: {count(self.inserted, 'new job')}, {self.updated:,} changed, "
            f"{self.unchanged:,} as they were, {count(self.logs, 'new log')}."
        )


def import_jobs(
    databases: Databases,
    job_file: JobFile,
    by: Actor,
    *,
    origin: Mapping[str, str] | None = None,
    commit_with: Callable[[Connection], None] = lambda _: None,
) -> Imported:
    """Import a file.

    `origin` is added to what the audit keeps, and what `commit_with` does is committed with the jobs or not at all.
    Raises `NotPossible` where the file cannot be imported as it is, in one sentence without any text of a prompt; the
    database is then as before.
    """
    check_importable(databases, job_file.client_id)
    digest, began = hashlib.sha256(), time.monotonic()
    kind = "sync" if origin else "file"
    with (
        span("import", {"fencepost.origin": kind}, is_parent=True) as traced,
        _taken_back(job_file.skipped),
        databases.ours.transaction() as connection,
    ):
        for setting, value in _SETTINGS.items():
            connection.execute(text("SELECT set_config(:setting, :value, true)"), {"setting": setting, "value": value})
        imported = _import_file(databases.ours, connection, job_file, digest)
        details = {
            "client": job_file.client_id,
            "sha256": digest.hexdigest(),
            "records": imported.records,
            "inserted": imported.inserted,
            "updated": imported.updated,
            "logs": imported.logs,
            "skipped": imported.skipped,
            **({"erased": imported.erased} if imported.erased else {}),
            **(origin or {}),
        }
        commit_with(connection)
        outcomes = {
            "inserted": imported.inserted,
            "updated": imported.updated,
            "unchanged": imported.unchanged,
            "set_aside": imported.skipped,
        }
        add_to_totals(connection, kind, seconds=time.monotonic() - began, outcomes=outcomes)
        traced.note({f"fencepost.{name}": number for name, number in outcomes.items()})
        append(connection, databases.audit_key, Event.JOBS_IMPORTED, by, subject=job_file.client_id, details=details)
    return imported


def check_importable(databases: Databases, client_id: str) -> None:
    """Raise `NotPossible` where no jobs can be imported, and `InvalidParameter` where none of this client can."""
    if not databases.jobs_are_ours:
        raise NotPossible("The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: unset it to import.")
    if client_id.startswith(PREFIX) or not client_id.strip():
        raise InvalidParameter(f"client cannot be empty or begin with {PREFIX}: choose another one.")
    check_shown("client", client_id)


def vacuum_jobs(database: Database) -> None:
    """Vacuum what was imported, as PostgreSQL would by itself after a while."""
    # What was imported is there, whoever keeps the tables busy now.
    with suppress(DatabaseUnavailable):
        database.vacuum("jobs", "moderation_logs", "job_facts", "job_counts", "job_reason_counts")


def count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


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


def _import_file(database: Database, connection: Connection, job_file: JobFile, digest: "hashlib._Hash") -> Imported:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    name = job_file.name
    staged = stage_records(driver, read_blocks(job_file.file, name, digest, job_file.advance), job_file)
    has_guards = job_file.spreadsheet_safe
    if has_guards is None:
        has_guards = check_guards(connection, database, name, digest.hexdigest())
    first, last = _make_months(database, connection)
    _lock_jobs(connection)
    demo_removed = remove_demo(connection)
    merged = merge_records(connection, job_file.client_id, name, has_guards=has_guards)
    return Imported(
        records=staged.records + staged.skipped,
        inserted=merged.inserted,
        updated=merged.updated,
        unchanged=merged.unchanged,
        logs=merged.logs,
        skipped=staged.skipped,
        blank=staged.blank,
        ignored_columns=staged.ignored_columns,
        demo_removed=demo_removed,
        first=first,
        last=last,
        erased=merged.erased,
        repeated=merged.repeated,
    )


def _lock_jobs(connection: Connection) -> None:
    """Wait until no other import runs, however long that takes; readers are not kept waiting."""
    limit = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost imports', 0))"))
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})
    connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))


def _make_months(database: Database, connection: Connection) -> tuple[datetime | None, datetime | None]:
    """Make the months that the records need, where jobs are in months; return when the first and the last began.

    On a connection of its own, before this one uses the jobs: nobody waits for the end of the import then.
    """
    groups = "GROUP BY date_trunc('month', created_at, 'UTC')" if is_partitioned(connection) else "HAVING count(*) > 0"
    months = connection.execute(text(f"SELECT min(created_at), max(created_at) FROM staged_jobs {groups}")).all()
    if not months:
        return None, None
    # Others keep the place of what has no month busy: these jobs stay there, too, until `core migrate` moves them.
    with suppress(DatabaseUnavailable):
        make_months(database.transaction, [first for first, _ in months])
    return min(first for first, _ in months), max(last for _, last in months)
