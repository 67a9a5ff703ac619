"""Records of a file as they came, in a table of their own, and what is wrong with them."""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from core.csv.format import BOM, GUARD, GUARDED, write_record
from core.csv.records import copy_statement, explain_header, number_records, parse_header, split_records
from core.errors import NotPossible
from core.export.job_columns import COLUMNS
from core.intake.merging import _instant
from core.jobs.filter import STATUSES, Category

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


REMEDY = "Correct it, or give --skip-bad FILE."


def stage(
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


def take_guards(connection: Connection) -> None:
    """Take one guard off each cell that `spreadsheet_safe` has given one."""
    for name in _TEXTS:
        connection.execute(
            text(f"UPDATE staged_jobs SET {name} = substr({name}, 2) WHERE left({name}, 1) = :guard"
                 f" AND left(substr({name}, 2), 1) = ANY (:guarded)"),
            {"guard": GUARD, "guarded": list(GUARDED)},
        )  # fmt: skip


def find_wrong(connection: Connection, name: str, *, is_fatal: bool) -> int:
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
