"""Import of jobs from files in the export's own format, all or nothing a file.

PostgreSQL parses the file (COPY) into a staging table of text, so that a null and an empty string stay two things; what
is wrong with a value is found there, and what is right is merged.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import BinaryIO

import psycopg
from psycopg import sql
from sqlalchemy import ColumnElement, Connection, Select, column, func, insert, literal_column, table, text, true
from sqlalchemy import select as query

from core.actor import Actor
from core.audit.events import Event, append
from core.characters import check_shown
from core.csv.format import BOM, COLUMNS, GUARD, GUARDED, write_aside, write_record
from core.csv.records import BLOCK, copy_statement, explain_header, number_records, parse_header, split_records
from core.db.database import Database, Databases
from core.db.partitions import make_months
from core.db.schema import jobs, moderation_logs
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.intake.demo import PREFIX
from core.jobs.filter import STATUSES, Category
from core.jobs.query import latest_log

# The header is one line of column names; a file whose first line is longer is none of ours.
LONGEST_HEADER = 10_000

# RFC 3339 with any number of digits; what a month cannot have is looked at beside it. PostgreSQL's offsets end at 15.
_INSTANT = (
    r"^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]+)?([Zz]|[+-](0[0-9]|1[0-5]):[0-5][0-9])$"
)
# What Python can hold.
_YEARS = "timestamptz '0001-01-01Z' AND '9999-12-31 23:59:59.999999Z'"
_UUID = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"

_TEXTS = ("type", "status", "prompt", "reason")

# What stands before the columns of records that were set aside. An import leaves these out, so that a file of such
# records can be imported once they are right.
ASIDE = ("file", "record", "wrong")

REMEDY = "Correct it, or give --skip-bad FILE."


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
            databases.ours, connection, _blocks(file, name, digest, advance), client_id, name, spreadsheet_safe, skipped
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
    ignored, bad = _stage(driver, blocks, name, skipped)
    wrong = _find_wrong(connection, name, is_fatal=skipped is None)
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
        _take_guards(connection)
    total, first, last = _make_months(database, connection)
    _check_clients(connection, client_id, name)
    # One import after the other, however long each takes; readers are not kept waiting.
    with _patience(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost imports', 0))"))
    connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
    demo_removed = _remove_demo(connection)
    connection.execute(_PREPARE)
    connection.execute(text("ANALYZE import_jobs (job_id)"))
    inserted, updated = connection.execute(_MERGE, {"client_id": client_id}).one()
    distinct = connection.execute(text("SELECT count(*) FROM import_jobs")).scalar_one()
    logs = connection.execute(_add_logs()).scalar_one()
    return Imported(
        total + bad, inserted, updated, distinct - inserted - updated, logs, bad, ignored, demo_removed, first, last
    )


def _blocks(file: BinaryIO, name: str, digest: "hashlib._Hash", advance: Callable[[int], None]) -> Iterator[bytes]:
    """Read a file in blocks, unpacked where it is gzip; the digest is that of the file as it is."""
    unpack = None
    is_first = True
    while block := _read(file, name):
        digest.update(block)
        advance(len(block))
        if is_first and block.startswith(b"\x1f\x8b"):
            unpack = zlib.decompressobj(wbits=31)
        is_first = False
        if unpack is None:
            yield block
            continue
        while block:
            try:
                data = unpack.decompress(block)
            except zlib.error:
                raise NotPossible(f"{name} is no whole gzip file: get it again.") from None
            if data:
                yield data
            # A gzip file may have several members.
            block = unpack.unused_data
            if unpack.eof and block:
                unpack = zlib.decompressobj(wbits=31)
            elif not unpack.eof:
                break
    if unpack is not None and not unpack.eof:
        raise NotPossible(f"{name} is cut: the end of the gzip file is missing. Get it again.")


def _read(file: BinaryIO, name: str) -> bytes:
    try:
        return file.read(BLOCK)
    except OSError as error:
        raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None


def _stage(
    driver: psycopg.Connection, blocks: Iterator[bytes], name: str, skipped: BinaryIO | None
) -> tuple[tuple[str, ...], int]:
    """Copy the records into a table of text; return the columns that are left out, and the number of records, too."""
    head = b""
    for block in blocks:
        head += block
        if b"\n" in head or len(head) > LONGEST_HEADER:
            break
    if not head:
        raise NotPossible(f"{name} is empty: an export has at least a header.")
    head = head.removeprefix(BOM)
    records = split_records(chain([head], blocks), name)
    columns = parse_header(next(records)) if b"\n" in head else []
    wrong = explain_header(head, columns, COLUMNS)
    if wrong is not None:
        raise NotPossible(f"{name} is no export of jobs: {wrong}. It needs the columns {', '.join(COLUMNS)}.")
    ignored = tuple(dict.fromkeys(column or "(no name)" for column in columns if column not in COLUMNS))
    fields = ["record", *(field if field in COLUMNS else f"ignored_{number}" for number, field in enumerate(columns))]
    definitions = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(field)) for field in fields[1:])
    driver.execute("DROP TABLE IF EXISTS pg_temp.staged_jobs, pg_temp.import_jobs")
    driver.execute(
        sql.SQL("CREATE TEMPORARY TABLE staged_jobs (record bigint, wrong text, {}) ON COMMIT DROP").format(definitions)
    )
    bad = 0

    def set_aside(number: int, wrong: str, record: bytes) -> None:
        nonlocal bad
        if skipped is None:
            raise NotPossible(f"{name}, record {number:,}: {wrong}. {REMEDY}")
        bad += 1
        write_record((name, str(number), wrong), skipped, record)

    with driver.cursor() as cursor, cursor.copy(copy_statement("staged_jobs", fields)) as copy:
        for block in number_records(records, len(columns), set_aside):
            copy.write(block)
    return ignored, bad


@contextmanager
def _patience(connection: Connection) -> Iterator[None]:
    """Let statements wait for locks as long as it takes."""
    limit = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    yield
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})


def _take_guards(connection: Connection) -> None:
    """Take one guard off each cell that `spreadsheet_safe` has given one."""
    for name in _TEXTS:
        connection.execute(
            text(f"UPDATE staged_jobs SET {name} = substr({name}, 2) WHERE left({name}, 1) = :guard"
                 f" AND left(substr({name}, 2), 1) = ANY (:guarded)"),
            {"guard": GUARD, "guarded": list(GUARDED)},
        )  # fmt: skip


def _find_wrong(connection: Connection, name: str, *, is_fatal: bool) -> int:
    """Note beside each record which value is wrong; return how many are. Raises `NotPossible` where that is fatal."""
    cases = " ".join(f"WHEN {condition} THEN {_say(cell, expected)}" for cell, condition, expected in _expectations())
    found = f"SELECT record AS number, CASE {cases} END AS found FROM staged_jobs"
    # No colon in it is the name of a parameter.
    found = found.replace(":", "\\:")
    connection.execute(
        text(f"UPDATE staged_jobs SET wrong = found FROM ({found}) AS checked WHERE number = record AND found <> ''")
    )
    bad, first = connection.execute(text("SELECT count(*), min(record) FROM staged_jobs WHERE wrong IS NOT NULL")).one()
    if bad and is_fatal:
        wrong = connection.execute(text("SELECT wrong FROM staged_jobs WHERE record = :first"), {"first": first})
        raise NotPossible(f"{name}, record {first:,}: {wrong.scalar_one()}. {REMEDY}")
    return int(bad)


def _expectations() -> list[tuple[str, str, str]]:
    """List what is wrong with a cell, in SQL, and what it should be."""
    instant, boolean = "a time like 2026-04-01T00:00:00Z", "true, false or nothing"
    return [
        ("job_id", f"job_id IS NULL OR job_id !~ '{_UUID}'", "a UUID"),
        ("type", "type IS NULL", "a text"),
        ("status", f"status IS NULL OR status NOT IN {STATUSES}", ", ".join(STATUSES)),
        ("is_prohibited", "is_prohibited NOT IN ('true', 'false')", boolean),
        ("created_at", f"created_at IS NULL OR {_is_no_instant('created_at')}", instant),
        ("completed_at", _is_no_instant("completed_at"), f"{instant}, or nothing"),
        *((item.column, f"{item.column} NOT IN ('true', 'false')", boolean) for item in Category),
    ]


def _say(cell: str, expected: str) -> str:
    """Say in SQL what was found and what was expected."""
    found = f"CASE WHEN {cell} IS NULL THEN 'empty' ELSE quote_literal(left({cell}, 40)) END"
    return f"'{cell} is ' || {found} || ', where it should be {expected}'"


def _is_no_instant(column: str) -> str:
    days = (
        f"substr({column}, 9, 2)::int > extract(day FROM make_date(substr({column}, 1, 4)::int,"
        f" substr({column}, 6, 2)::int, 1) + interval '1 month' - interval '1 day')"
    )
    # An offset may lead out of the years that there are.
    years = f"substr({column}, 1, 4) IN ('0001', '9999') AND {_instant(column)} NOT BETWEEN {_YEARS}"
    # CASE is evaluated in its order, so that numbers are read only where there are some.
    return (
        f"CASE WHEN {column} IS NULL THEN false WHEN {column} !~ '{_INSTANT}' THEN true WHEN {days} THEN true"
        f" ELSE {years} END"
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


def _check_clients(connection: Connection, client_id: str, name: str) -> None:
    """Refuse jobs that another client has: an import never moves a job from one to another."""
    other = connection.execute(
        text("""
            SELECT count(*) FROM staged_jobs
            WHERE EXISTS (SELECT FROM jobs WHERE jobs.job_id = CAST(staged_jobs.job_id AS uuid)
                AND client_id <> :client_id AND NOT starts_with(client_id, :prefix))
        """),
        {"client_id": client_id, "prefix": PREFIX},
    ).scalar_one()
    if other:
        jobs_ = "1 job" if other == 1 else f"{other:,} jobs"
        raise NotPossible(f"{name} holds {jobs_} that another client has already: import it under that client's name.")


def _remove_demo(connection: Connection) -> bool:
    """Remove the demo jobs, in the way that is quickest."""
    demo = {"prefix": PREFIX}
    has_demo, has_others, is_owner = connection.execute(
        text("""
            SELECT EXISTS (SELECT FROM jobs WHERE starts_with(client_id, :prefix)),
                EXISTS (SELECT FROM jobs WHERE NOT starts_with(client_id, :prefix)),
                (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'jobs'::regclass)
        """),
        demo,
    ).one()
    if has_demo and is_owner and not has_others:
        connection.execute(text("TRUNCATE jobs, moderation_logs RESTART IDENTITY"))
    elif has_demo:
        connection.execute(
            text("DELETE FROM moderation_logs AS log USING jobs"
                 " WHERE jobs.job_id = log.job_id AND starts_with(client_id, :prefix)"),
            demo,
        )  # fmt: skip
        connection.execute(text("DELETE FROM jobs WHERE starts_with(client_id, :prefix)"), demo)
    return bool(has_demo)


def _instant(column: str) -> str:
    """Cut what is finer than a microsecond: rounding could move a job over the bound of a range."""
    return rf"CAST(regexp_replace({column}, '(\.[0-9]{{6}})[0-9]+', '\1') AS timestamptz)"


_PROGRESS = "array_position(ARRAY['queued', 'processing', 'failed', 'completed'], {}.status)"

# Of one job's records in a file the best counts, by the same rule as between file and database.
_PREPARE = text(f"""
    CREATE TEMPORARY TABLE import_jobs ON COMMIT DROP AS
    SELECT DISTINCT ON (staged.job_id) staged.*
    FROM (
        SELECT record, CAST(job_id AS uuid) AS job_id, type, status, CAST(is_prohibited AS boolean) AS is_prohibited,
            {_instant("created_at")} AS created_at, {_instant("completed_at")} AS completed_at, prompt, reason,
            {", ".join(f"CAST({category.column} AS boolean) AS {category.column}" for category in Category)}
        FROM staged_jobs
    ) AS staged
    ORDER BY staged.job_id, staged.is_prohibited IS NOT NULL DESC, staged.completed_at DESC NULLS LAST,
        {_PROGRESS.format("staged")} DESC, record DESC
""")

# Decided beats undecided, then the later completion wins, then the further status. What is equal stays as it is: it is
# left out before the INSERT, which would write a lock into each of these rows.
_RANK = (
    "({0}.is_prohibited IS NOT NULL, coalesce({0}.completed_at, '-infinity'), " + _PROGRESS.replace("{}", "{0}") + ")"
)

# Told apart by the id alone, because where jobs are in months the same id in another one is another job to PostgreSQL.
_MERGE = text(f"""
    WITH updated AS (
        UPDATE jobs SET type = import_jobs.type, status = import_jobs.status,
            is_prohibited = import_jobs.is_prohibited, created_at = import_jobs.created_at,
            completed_at = import_jobs.completed_at, prompt = import_jobs.prompt, reason = import_jobs.reason
        FROM import_jobs
        WHERE jobs.job_id = import_jobs.job_id AND {_RANK.format("import_jobs")} > {_RANK.format("jobs")}
        RETURNING 1
    ), inserted AS (
        INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason)
        SELECT job_id, :client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason
        FROM import_jobs WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.job_id = import_jobs.job_id)
        ORDER BY created_at, job_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM updated)
""")


def _add_logs() -> Select[int]:
    """Build the statement that adds a log where the file is not older than the job, and its flags are other ones.

    It gives the number of new logs.
    """
    columns = [category.column for category in Category]
    new = table("import_jobs", column("job_id"), *map(column, columns))
    has_flags = " OR ".join(f"import_jobs.{name} IS NOT NULL" for name in columns)
    differs = " OR ".join(f"import_jobs.{name} IS DISTINCT FROM latest_log.{name}" for name in columns)
    not_older = f"{_RANK.format('import_jobs')} >= {_RANK.format('jobs')}"
    # A log that is older than the latest would not count, and would be added once more each time.
    at: ColumnElement[datetime] = literal_column(
        "greatest(coalesce(import_jobs.completed_at, import_jobs.created_at),"
        " (SELECT max(created_at) FROM moderation_logs WHERE moderation_logs.job_id = import_jobs.job_id))"
    )
    logs = (
        query(new.c.job_id, at, *(new.c[name] for name in columns))
        .select_from(new.join(jobs, jobs.c.job_id == new.c.job_id).outerjoin(latest_log, true()))
        .where(text(f"({has_flags})"), text(not_older), text(f"({differs})"))
    )
    added = insert(moderation_logs).from_select(["job_id", "created_at", *columns], logs)
    return query(func.count()).select_from(added.returning(moderation_logs.c.log_id).cte("added"))
