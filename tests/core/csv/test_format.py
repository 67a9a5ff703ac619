"""Whole documents, byte for byte."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from core.csv.format import GUARDED
from core.db.databases import Databases
from core.db.startup import open_databases
from core.settings import Settings
from tests.support.commands import run_process
from tests.support.documents import APRIL, HEADER, april, export_document, read_records
from tests.support.examples import examples
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.strategies import TEXTS

RunCore = Callable[..., CompletedProcess[bytes]]
COMMAND = ("export", "--from", APRIL["from"], "--to", APRIL["to"])
FIRST = b"00000000-0000-0000-0000-000000000001"

# What a role, a database or a machine may prefer, and what would change the bytes if it were obeyed.
PREFERENCES = {
    "DateStyle": "German, DMY",
    "TimeZone": "Pacific/Auckland",
    "IntervalStyle": "sql_standard",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "lc_time": "C.UTF-8",
    "lc_numeric": "C.UTF-8",
    "lc_monetary": "C.UTF-8",
    "statement_timeout": "1s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "1s",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "enable_indexscan": "off",
    "enable_bitmapscan": "off",
    "enable_nestloop": "off",
    "synchronize_seqscans": "on",
    "cursor_tuple_fraction": "1",
    "plan_cache_mode": "force_generic_plan",
    "client_min_messages": "debug1",
}


def test_document_without_jobs_is_bom_and_header(run_core: RunCore) -> None:
    """An empty range gives the byte order mark and the header line, nothing else."""
    assert run_core(*COMMAND).stdout == HEADER


def test_latest_log_counts_and_ties_go_to_the_greater_log_id(run_core: RunCore, connection: psycopg.Connection) -> None:
    """A job with two logs of one time shows the one that was written last; no job is repeated."""
    job_id = insert_job(connection, job_id=UUID(int=1))
    insert_log(connection, job_id, category_nsfw=True)
    insert_log(connection, job_id, category_underage=None)
    insert_log(connection, job_id, created_at=NOON - timedelta(seconds=1), category_ai_adult_general=True)

    assert run_core(*COMMAND).stdout == HEADER + (
        b"00000000-0000-0000-0000-000000000001,prompt,completed,false,2026-04-15T12:00:00.000000Z,,a prompt,,"
        b"false,,false\n"
    )


def test_a_whole_document(databases: Databases, connection: psycopg.Connection) -> None:
    """Three-state cells, null and empty text, quotes, commas, CR and LF: the document of the API page, byte for byte.

    A null is empty and unquoted, an empty string is `""`, quotes are doubled, and records end in LF.
    """
    arrange_whole_document(connection)

    assert export_document(databases, april()) == HEADER + WHOLE_DOCUMENT


def arrange_whole_document(connection: psycopg.Connection) -> None:
    """Insert the jobs of `WHOLE_DOCUMENT`, last ones first."""
    hour = timedelta(hours=1)
    insert_job(connection, job_id=UUID(int=7), created_at=NOON + 6 * hour, prompt="É日本🦊\u2028\ufeff", reason="\\N")
    insert_job(
        connection, job_id=UUID(int=6), created_at=NOON + 5 * hour, type='odd, "type"', prompt="\\.", reason=" a\tb "
    )
    insert_job(connection, job_id=UUID(int=5), created_at=NOON + 4 * hour, prompt="a\rb", reason="a\nb\r\n")
    insert_job(connection, job_id=UUID(int=4), created_at=NOON + 3 * hour, prompt='say "hi"', reason="one, two")
    insert_job(connection, job_id=UUID(int=3), created_at=NOON + 2 * hour, prompt="", reason="")
    insert_job(
        connection,
        job_id=UUID(int=2),
        created_at=NOON + hour,
        status="queued",
        is_prohibited=None,
        prompt=None,
    )
    insert_job(
        connection,
        job_id=UUID("ABCDEF01-0000-0000-0000-000000000001"),
        created_at=NOON,
        completed_at=NOON + timedelta(microseconds=1),
        type="image",
        is_prohibited=True,
        reason="blocked",
    )
    insert_log(connection, UUID("ABCDEF01-0000-0000-0000-000000000001"), category_nsfw=True, category_underage=None)
    insert_log(connection, UUID(int=3))


WHOLE_DOCUMENT = (
    b"abcdef01-0000-0000-0000-000000000001,image,completed,true,2026-04-15T12:00:00.000000Z,"
    b"2026-04-15T12:00:00.000001Z,a prompt,blocked,false,,true\n"
    b"00000000-0000-0000-0000-000000000002,prompt,queued,,2026-04-15T13:00:00.000000Z,,,,,,\n"
    b"00000000-0000-0000-0000-000000000003,prompt,completed,false,2026-04-15T14:00:00.000000Z,,"
    b'"","",false,false,false\n'
    b"00000000-0000-0000-0000-000000000004,prompt,completed,false,2026-04-15T15:00:00.000000Z,,"
    b'"say ""hi""","one, two",,,\n'
    b"00000000-0000-0000-0000-000000000005,prompt,completed,false,2026-04-15T16:00:00.000000Z,,"
    b'"a\rb","a\nb\r\n",,,\n'
    b'00000000-0000-0000-0000-000000000006,"odd, ""type""",completed,false,2026-04-15T17:00:00.000000Z,,'
    b"\\., a\tb ,,,\n"
    b"00000000-0000-0000-0000-000000000007,prompt,completed,false,2026-04-15T18:00:00.000000Z,,"
    b"\xc3\x89\xe6\x97\xa5\xe6\x9c\xac\xf0\x9f\xa6\x8a\xe2\x80\xa8\xef\xbb\xbf,\\N,,,\n"
)


def test_jobs_of_one_time_come_in_the_order_of_their_ids(databases: Databases, connection: psycopg.Connection) -> None:
    """Records are sorted by (created_at, job_id), whatever order they were written in."""
    for number in (3, 1, 2):
        insert_job(connection, job_id=UUID(int=number), prompt=None)
    insert_job(connection, job_id=UUID(int=9), created_at=NOON - timedelta(microseconds=1), prompt=None)

    assert export_document(databases, april()) == HEADER + (
        b"00000000-0000-0000-0000-000000000009,prompt,completed,false,2026-04-15T11:59:59.999999Z,,,,,,\n"
        b"00000000-0000-0000-0000-000000000001,prompt,completed,false,2026-04-15T12:00:00.000000Z,,,,,,\n"
        b"00000000-0000-0000-0000-000000000002,prompt,completed,false,2026-04-15T12:00:00.000000Z,,,,,,\n"
        b"00000000-0000-0000-0000-000000000003,prompt,completed,false,2026-04-15T12:00:00.000000Z,,,,,,\n"
    )


def test_april_in_utc_is_april_and_nothing_else(databases: Databases, connection: psycopg.Connection) -> None:
    """`from` is inclusive and `to` exclusive, to the microsecond: 1 to 30 April, no March and no May."""
    start, end = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    microsecond = timedelta(microseconds=1)
    for number, created_at in enumerate((start - microsecond, start, start + microsecond, end - microsecond, end)):
        insert_job(connection, job_id=UUID(int=number), created_at=created_at, prompt=None)

    assert export_document(databases, april()) == HEADER + (
        b"00000000-0000-0000-0000-000000000001,prompt,completed,false,2026-04-01T00:00:00.000000Z,,,,,,\n"
        b"00000000-0000-0000-0000-000000000002,prompt,completed,false,2026-04-01T00:00:00.000001Z,,,,,,\n"
        b"00000000-0000-0000-0000-000000000003,prompt,completed,false,2026-04-30T23:59:59.999999Z,,,,,,\n"
    )


def test_bounds_with_an_offset_are_the_same_instants(databases: Databases, connection: psycopg.Connection) -> None:
    """A bound is an instant: written with another offset it selects the same jobs, and cells stay in UTC."""
    insert_job(connection, job_id=UUID(int=1), created_at=datetime(2026, 4, 1, tzinfo=UTC), prompt=None)
    elsewhere = {"from": "2026-04-01T05:45:00+05:45", "to": "2026-04-30T14:00:00-10:00"}

    assert export_document(databases, april(**elsewhere)) == HEADER + (
        b"00000000-0000-0000-0000-000000000001,prompt,completed,false,2026-04-01T00:00:00.000000Z,,,,,,\n"
    )


def test_a_prompt_of_two_megabytes_is_exported_whole(databases: Databases, connection: psycopg.Connection) -> None:
    """A prompt may be megabytes long and full of quotes and line ends."""
    prompt = 'a "quoted"\r\nlight,\n' * 120_000
    insert_job(connection, job_id=UUID(int=1), prompt=prompt)

    document = export_document(databases, april())

    assert len(prompt) > 2_000_000
    assert document == HEADER + FIRST + (
        b',prompt,completed,false,2026-04-15T12:00:00.000000Z,,"' + prompt.replace('"', '""').encode() + b'",,,,\n'
    )


def test_many_records_arrive_in_blocks_without_loss(databases: Databases, connection: psycopg.Connection) -> None:
    """A document of many blocks holds every record once and in order."""
    connection.execute("""
        INSERT INTO jobs (job_id, client_id, type, status, created_at, prompt)
        SELECT lpad(to_hex(n), 32, '0')::uuid, 'acme', 'prompt', 'queued', '2026-04-02T00:00:00Z', repeat('x', 100)
        FROM generate_series(1, 20000) AS n
    """)

    document = export_document(databases, april())

    assert document == HEADER + b"".join(
        b"%s,prompt,queued,,2026-04-02T00:00:00.000000Z,,%s,,,,\n" % (str(UUID(int=number)).encode(), b"x" * 100)
        for number in range(1, 20001)
    )


def test_no_setting_of_a_database_changes_a_byte(
    settings: Settings, database_url: str, connection: psycopg.Connection
) -> None:
    """Whatever a database sets for its sessions, the bytes are the same, and so is what a search finds."""
    arrange_whole_document(connection)
    name = sql.Identifier(connection.info.dbname)
    for setting, value in PREFERENCES.items():
        alter = sql.SQL("ALTER DATABASE {} SET {} TO {}").format(name, sql.Identifier(setting), value)
        connection.execute(
            alter if setting != "DateStyle" else sql.SQL("ALTER DATABASE {} SET DateStyle TO German, DMY").format(name)
        )
    with psycopg.connect(database_url) as other:
        held = {setting: other.execute("SELECT current_setting(%s)", [setting]).fetchone() for setting in PREFERENCES}

    opened = open_databases(settings)
    try:
        document = export_document(opened, april())
        found = export_document(opened, april(q="é日本"))
        guarded = export_document(opened, april(q="say", spreadsheet_safe="true"))
    finally:
        opened.close()

    assert held == {setting: (value,) for setting, value in PREFERENCES.items()}
    assert document == HEADER + WHOLE_DOCUMENT
    assert found == HEADER + WHOLE_DOCUMENT.splitlines(keepends=True)[-1]
    assert [record[6] for record in read_records(guarded)] == ['say "hi"']


@pytest.mark.parametrize(
    "environment",
    [
        {"PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "German", "PGTZ": "Asia/Tokyo"},
        {"PGOPTIONS": "-c TimeZone=Asia/Tokyo -c DateStyle=German -c statement_timeout=1s", "TZ": "Asia/Tokyo"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        {"LC_ALL": "xx_YY", "TZ": "no/where", "HOME": "/nowhere", "TMPDIR": "/nowhere", "PATH": "", "USER": ""},
    ],
)
def test_no_setting_of_a_machine_changes_a_byte(
    database_url: str, connection: psycopg.Connection, environment: dict[str, str]
) -> None:
    """Whatever the environment says to libpq or Python, also of places that do not exist, the bytes are the same."""
    arrange_whole_document(connection)

    assert run_process(database_url, *COMMAND, **environment).stdout == HEADER + WHOLE_DOCUMENT


# First characters that a spreadsheet may take for a formula, spelled out; U+FF1D is a full-width equals sign and so on.
FORMULA_STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'"]


def test_the_guarded_characters_are_those_of_the_contract() -> None:
    """`=` `+` `-` `@` TAB CR LF, the full-width forms of the first four, and the guard itself are guarded."""
    assert list(GUARDED) == FORMULA_STARTS


def test_spreadsheet_safe_puts_one_guard_in_front(databases: Databases, connection: psycopg.Connection) -> None:
    """A text that begins like a formula gets one `'` in type, prompt and reason, however it goes on."""
    texts = [first + rest for first in FORMULA_STARTS for rest in ("", "1+1", "''", "é")]
    for number, text in enumerate(texts):
        insert_job(connection, job_id=UUID(int=number), type=text, prompt=text, reason=text)

    records = read_records(export_document(databases, april(spreadsheet_safe="true")))

    assert records == [
        [
            *(str(UUID(int=number)), f"'{text}", "completed", "false", "2026-04-15T12:00:00.000000Z", ""),
            *(f"'{text}", f"'{text}", "", "", ""),
        ]
        for number, text in enumerate(texts)
    ]


def test_spreadsheet_safe_guards_the_status_too(databases: Databases, connection: psycopg.Connection) -> None:
    """A status is as stored; where a source stores one that begins like a formula, it is guarded as well."""
    connection.execute("ALTER TABLE jobs DROP CONSTRAINT jobs_status_check")
    insert_job(connection, job_id=UUID(int=1), status="=failed", prompt=None)

    assert export_document(databases, april(spreadsheet_safe="true")) == HEADER + (
        FIRST + b",prompt,'=failed,false,2026-04-15T12:00:00.000000Z,,,,,,\n"
    )


def test_spreadsheet_safe_leaves_other_texts_alone(databases: Databases, connection: psycopg.Connection) -> None:
    """A text that begins otherwise, an empty one and a null keep their bytes, whatever stands further in."""
    arrange_whole_document(connection)
    insert_job(
        connection, job_id=UUID(int=8), created_at=NOON + timedelta(hours=7), prompt="a=1", reason="\u2212\ufe661"
    )

    assert export_document(databases, april(spreadsheet_safe="true")) == export_document(databases, april())


TEXT_OR_NULL = st.none() | TEXTS


@given(jobs=st.lists(st.tuples(TEXTS, TEXT_OR_NULL, TEXT_OR_NULL), max_size=20))
@examples(25)
def test_whatever_is_stored_is_read_back(
    databases: Databases, connection: psycopg.Connection, jobs: list[tuple[str, str | None, str | None]]
) -> None:
    """Python's csv reads back what went in, for any text; null and empty are told apart by the bytes."""
    connection.execute("TRUNCATE jobs CASCADE")
    for number, (kind, prompt, reason) in enumerate(jobs):
        insert_job(connection, job_id=UUID(int=number), type=kind, prompt=prompt, reason=reason)

    document = export_document(databases, april())

    assert read_records(document) == [
        [
            *(str(UUID(int=number)), kind, "completed", "false", "2026-04-15T12:00:00.000000Z", ""),
            *(prompt or "", reason or "", "", "", ""),
        ]
        for number, (kind, prompt, reason) in enumerate(jobs)
    ]
    assert document == HEADER + b"".join(
        f"{UUID(int=number)},{encode(kind)},completed,false,2026-04-15T12:00:00.000000Z,,".encode()
        + f"{encode(prompt)},{encode(reason)},,,\n".encode()
        for number, (kind, prompt, reason) in enumerate(jobs)
    )


@given(jobs=st.lists(st.tuples(TEXTS, TEXT_OR_NULL, TEXT_OR_NULL), max_size=20))
@examples(12)
def test_taking_one_guard_away_restores_any_text(
    databases: Databases, connection: psycopg.Connection, jobs: list[tuple[str, str | None, str | None]]
) -> None:
    """Guarded, no cell begins like a formula; without one leading `'` every cell is the plain one."""
    connection.execute("TRUNCATE jobs CASCADE")
    for number, (kind, prompt, reason) in enumerate(jobs):
        insert_job(connection, job_id=UUID(int=number), type=kind, prompt=prompt, reason=reason)

    guarded = read_records(export_document(databases, april(spreadsheet_safe="true")))

    assert not [cell for record in guarded for cell in record if cell.startswith(tuple(FORMULA_STARTS[:-1]))]
    assert [[cell.removeprefix("'") for cell in record] for record in guarded] == read_records(
        export_document(databases, april())
    )


def encode(text: str | None) -> str:
    """Encode a cell as PostgreSQL's COPY does."""
    if text is None:
        return ""
    if text == "" or any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
