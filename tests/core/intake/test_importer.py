"""Imports: a file becomes jobs as a whole or not at all, and an export of them is the file again."""

import errno
import gzip
import io
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Connection, text

from core.actor import COMMAND_LINE
from core.cli.import_options import link_to_jobs
from core.cli.output import open_aside
from core.csv.format import BOM, make_header
from core.csv.records import BLOCK
from core.db.databases import Databases
from core.db.session_settings import SESSION
from core.db.startup import open_databases
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.export.job_columns import COLUMNS, HEADER
from core.intake import loading
from core.intake.demo import seed_jobs
from core.intake.importer import Imported, import_jobs
from core.intake.job_file import ASIDE, JobFile
from core.settings import Settings
from tests.support.documents import april, export_document
from tests.support.examples import examples
from tests.support.rows import insert_job, insert_log
from tests.support.waiting import wait_for

ID = "11111111-1111-4111-8111-111111111111"
DAY = "2026-04-15T12:00:00.000000Z"


@pytest.fixture(params=[loading.MANY, 1], ids=["rows", "load"], autouse=True)
def _many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true of imports is true of those of many jobs, which go another way (see test_loading.py)."""
    monkeypatch.setattr(loading, "MANY", request.param)


@pytest.fixture(scope="module")
def seeded(default_settings: Settings, shared_url: str) -> Iterator[Databases]:
    """Demo jobs in one database for all files that change nothing."""
    opened = open_databases(default_settings.model_copy(update={"database_url": SecretStr(shared_url)}))
    seed_jobs(opened, 20, seed=1, until=datetime(2026, 4, 30, tzinfo=UTC))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def beside_seeded(shared_url: str) -> Iterator[psycopg.Connection]:
    """A connection beside Fencepost's own to that database."""
    with psycopg.connect(shared_url, autocommit=True, options="-c lock_timeout=30s") as opened:
        yield opened


def record(**cells: str) -> str:
    """Write a record; what is not given is ordinary, and `prompt` and `reason` are written as they are."""
    values = {
        "job_id": ID,
        "type": "prompt",
        "status": "completed",
        "is_prohibited": "true",
        "created_at": DAY,
        "completed_at": "2026-04-15T12:00:01.000000Z",
        "prompt": "a harmless prompt",
    } | cells
    return ",".join(values.get(column, "") for column in COLUMNS) + "\n"


def document(*records: str) -> bytes:
    return BOM + HEADER + "".join(records).encode()


def take(databases: Databases, data: bytes, *, client_id: str = "acme", **options: Any) -> Imported:
    commit_with = options.pop("commit_with", lambda _: None)
    job_file = JobFile(file=io.BytesIO(data), client_id=client_id, name="a.csv", **options)
    return import_jobs(databases, job_file, COMMAND_LINE, commit_with=commit_with)


def counts(imported: Imported) -> tuple[int, int, int, int]:
    return imported.inserted, imported.updated, imported.unchanged, imported.logs


# All that PostgreSQL's text can hold.
texts = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
flags = st.tuples(*[st.sampled_from([True, False, None])] * 3)
seconds = st.integers(0, 10**12).map(lambda number: datetime(2026, 4, 1, tzinfo=UTC) + timedelta(microseconds=number))
rows = st.lists(
    st.tuples(
        st.uuids(), texts, texts, st.sampled_from([True, False, None]), seconds, st.none() | seconds, st.none() | flags,
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    ),
    max_size=8,
    unique_by=lambda row: row[0],
)  # fmt: skip


@examples(10)
@given(rows=rows, guarded=st.booleans())
def test_what_was_exported_and_imported_is_exported_the_same(
    databases: Databases, connection: psycopg.Connection, rows: list[tuple[Any, ...]], guarded: bool
) -> None:
    """Any jobs: the export of the import is the file, also where its cells had guards."""
    connection.execute("TRUNCATE jobs, moderation_logs")
    for job_id, prompt, reason, decision, created, completed, flag, kind in rows:
        insert_job(connection, job_id=job_id, prompt=prompt, reason=reason, is_prohibited=decision, type=kind,
                   created_at=created, completed_at=completed)  # fmt: skip
        if flag is not None:
            insert_log(connection, job_id, category_ai_adult_general=flag[0], category_underage=flag[1],
                       category_nsfw=flag[2])  # fmt: skip
    plain = export_document(databases, april())
    file = export_document(databases, april(spreadsheet_safe="true")) if guarded else plain
    connection.execute("TRUNCATE jobs, moderation_logs")

    imported = take(databases, file, spreadsheet_safe=guarded)
    again = take(databases, file, spreadsheet_safe=guarded)

    assert export_document(databases, april()) == plain
    assert (imported.inserted, imported.records) == (len(rows), len(rows))
    assert counts(again) == (0, 0, len(rows), 0)


def test_forms_that_a_file_may_have(databases: Databases, connection: psycopg.Connection) -> None:
    """Without BOM, with CRLF, gzip in several members, other columns and orders, times of any precision and offset."""
    lines = [
        'prompt,other,"a, ""b""","a, ""b""",,' + ",".join(column for column in COLUMNS if column != "prompt"),
        f'"two\nlines, ""quoted""",k,1,2,3,{ID},image,completed,false,2026-04-15t14:00:00.123456789+02:00,,"",true,,'
        "false",
    ]
    data = "\r\n".join(lines).encode() + b"\r\n"
    packed = gzip.compress(data[:50]) + gzip.compress(data[50:])

    imported = take(databases, packed)

    assert imported.ignored_columns == ("other", 'a, "b"', "(no name)")
    assert counts(imported) == (1, 0, 0, 1)
    found = connection.execute("SELECT prompt, reason, created_at, completed_at, client_id FROM jobs").fetchall()
    at = datetime(2026, 4, 15, 12, 0, 0, 123456, tzinfo=UTC)
    assert found == [('two\nlines, "quoted"', "", at, None, "acme")]
    log = connection.execute("SELECT created_at, category_ai_adult_general, category_underage FROM moderation_logs")
    assert log.fetchall() == [(at, True, None)]


@pytest.mark.parametrize("zeros", [1, 512, BLOCK, 2 * BLOCK + 1])
def test_a_gzip_may_be_filled_up_with_zeros(databases: Databases, zeros: int) -> None:
    """What writes whole blocks fills the last one up; gzip(1) leaves that out, too. Anything else there is refused."""
    packed = gzip.compress(document(record())) + bytes(zeros)

    assert take(databases, packed).records == 1
    with pytest.raises(NotPossible, match="is no whole gzip file"):
        take(databases, packed + b"xyz")


def test_members_of_a_gzip_may_end_anywhere(databases: Databases) -> None:
    """Files that were packed each by itself and put together are one, also where one holds the header alone."""
    whole = document(record())
    header = len(whole.splitlines(keepends=True)[0])

    for place in (1, header - 1, header, header + 1, len(whole) - 1):
        packed = gzip.compress(whole[:place]) + gzip.compress(b"") + gzip.compress(whole[place:])
        assert take(databases, packed).records == 1


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ({"is_prohibited": ""}, {}, "after"),
        ({}, {"is_prohibited": ""}, "before"),
        ({}, {"completed_at": "2026-04-15T12:00:02Z"}, "after"),
        ({"completed_at": "2026-04-15T12:00:02Z"}, {}, "before"),
        ({"status": "queued", "is_prohibited": "", "completed_at": ""},
         {"status": "processing", "is_prohibited": "", "completed_at": ""}, "after"),
        ({}, {}, "before"),
    ],
)  # fmt: skip
def test_the_better_record_counts_whatever_the_order(
    databases: Databases, connection: psycopg.Connection, before: dict[str, str], after: dict[str, str], kept: str
) -> None:
    """Decided beats undecided, then the later completion, then the further status: between files and within one."""
    first, second = record(**before, prompt="before"), record(**after, prompt="after")

    take(databases, document(first))
    take(databases, document(second))
    between = connection.execute("SELECT prompt FROM jobs").fetchall()
    connection.execute("TRUNCATE jobs, moderation_logs")
    take(databases, document(first, second))
    within = connection.execute("SELECT prompt FROM jobs").fetchall()

    assert between == [(kept,)]
    # Of two equal records in one file the later one counts.
    assert within == [("after" if before == after else kept,)]


def test_an_older_file_undoes_nothing_and_flags_make_a_log(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A log is added where the flags differ, and none by a file that is older than the job."""
    new = record(category_nsfw="true", category_underage="false", category_ai_adult_general="false")
    old = record(category_nsfw="false", completed_at="", is_prohibited="")

    assert counts(take(databases, document(new))) == (1, 0, 0, 1)
    assert counts(take(databases, document(old))) == (0, 0, 1, 0)
    assert counts(take(databases, document(new.replace("true\n", "false\n")))) == (0, 0, 1, 1)
    assert counts(take(databases, document(record()))) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "a.csv is empty"),
        (b"a,b\n1,2\n", "a.csv is no export of jobs: its first line is no header."),
        (HEADER.replace(b",status", b""), "it lacks status."),
        (HEADER[:-1], "a.csv is no export of jobs: it ends within its first line: get it again."),
        (BOM, "a.csv is empty"),
        (document(record()).replace(b"\n", b"\r"), "its lines end in CR, where they should end in LF or CRLF"),
        (HEADER.decode().encode("utf-16"), "it is UTF-16, where it should be UTF-8: save it so."),
        (b"PK\x03\x04" + HEADER, "it is a spreadsheet or an archive: save it as CSV, or unpack it."),
        (HEADER.replace(b"type", b"status"), "it has status more than once."),
        (b"x," * 400 + HEADER, "it has more than 400 columns."),
        (b'"' + b"x" * 200_000 + b'"\n', "its first line is no header."),
        (document(record())[:-1], "a.csv is cut: its last record has no end."),
        (document(record(prompt='"open')), "a.csv is cut, or a quote is missing"),
        (document(record(), "x,y\n"), "a.csv, line 3 (record 2): it has 2 cells, where the header has 11."),
        (document(record()[:-1] + ",x\n"), "a.csv, line 2 (record 1): it has 12 cells, where the header has 11."),
        (
            document(record()).replace(b"harmless", b"\xff"),
            "a.csv, line 2 (record 1): it is not UTF-8, or holds the character 0.",
        ),
        (
            document(record()).replace(b"harmless", b"\0"),
            "a.csv, line 2 (record 1): it is not UTF-8, or holds the character 0.",
        ),
        (
            document(record()).replace(b"harmless", b"\r"),
            "line 2 (record 1): prompt: a carriage return stands in a cell that has no quotes around it.",
        ),
        (b"%PDF-1.7\n" * 9, "a.csv is no export of jobs: its first line is no header."),
        (b"x" * 20_000, "a.csv is no export of jobs: its first line is no header."),
        (gzip.compress(document(record()), mtime=0)[:-9], "a.csv is cut: the end of the gzip file is missing."),
        (gzip.compress(document(record()), mtime=0)[:30] + b"x" * 30, "a.csv is no whole gzip file"),
        (
            document(record(), record(status="done")),
            "line 3 (record 2): status is 'done', where it should be queued, processing",
        ),
        (document(record(job_id="7")), "line 2 (record 1): job_id is '7', where it should be a UUID."),
        (
            document(record(created_at="2026-02-29T00:00:00Z")),
            "created_at is '2026-02-29T00:00:00Z'",
        ),
        (document(record(created_at="yesterday")), "created_at is 'yesterday'"),
        (document(record(created_at="")), "created_at is empty"),
        (document(record(completed_at="infinity")), "completed_at is 'infinity'"),
        (document(record(created_at="0001-01-01T00:00:00+02:00")), "created_at is '0001-01-01T00:00:00+02:00'"),
        (document(record(completed_at="9999-12-31T23:00:00-01:00")), "completed_at is '9999-12-31T23:00:00-01:00'"),
        (document(record(is_prohibited="y")), "is_prohibited is 'y', where it should be true, false or nothing."),
        (document(record(category_nsfw="2")), "category_nsfw is '2'"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(
    seeded: Databases, beside_seeded: psycopg.Connection, data: bytes, sentence: str
) -> None:
    """What is wrong is said in one sentence, and the database is as before, demo jobs included."""
    connection = beside_seeded
    before = connection.execute("SELECT count(*), min(client_id) FROM jobs").fetchone()

    with pytest.raises(NotPossible) as refused:
        take(seeded, data)

    assert sentence in str(refused.value)
    assert "harmless" not in str(refused.value)
    assert connection.execute("SELECT count(*), min(client_id) FROM jobs").fetchone() == before
    assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)


def test_a_full_disk_of_the_database_is_a_sentence(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the database has no room, nothing is imported, and the sentence says what to do."""
    connection.execute("""
        CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER fill AFTER INSERT ON jobs EXECUTE FUNCTION fill()
    """)

    with pytest.raises(DatabaseUnavailable, match=r"^The disk of the database .* is full: make room there\.$"):
        take(databases, document(record()))

    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_bad_records_go_aside_with_their_reasons(databases: Databases, connection: psycopg.Connection) -> None:
    """With a place for them, the others are imported; what is there can be corrected and imported in its turn."""
    aside = io.BytesIO(BOM + make_header((*ASIDE, *COLUMNS)))
    aside.seek(0, io.SEEK_END)
    wrong_value, good = record(status="done", prompt='"a\nb, ""c"""'), record(job_id=ID.replace("1", "2"))
    ragged, binary = record(job_id=ID.replace("1", "3")).replace(",,", ","), record(prompt="\xff")

    imported = take(
        databases,
        document(wrong_value, ragged, good) + binary.encode("latin-1"),
        skipped=aside,
    )

    assert (counts(imported), imported.skipped, imported.records) == ((1, 0, 0, 0), 3, 4)
    assert connection.execute("SELECT job_id FROM jobs").fetchall() == [(UUID(ID.replace("1", "2")),)]
    assert aside.getvalue() == (
        BOM + b"file,record,wrong," + HEADER
        + b"a.csv,1,\"status is 'done', where it should be queued, processing, completed, failed\","
        + wrong_value.encode()
        + b"a.csv,2,\"it has 9 cells, where the header has 11\"," + ragged.encode()
        + b"a.csv,4,\"it is not UTF-8, or holds the character 0\"," + binary.encode("latin-1")
    )  # fmt: skip
    corrected = (
        aside.getvalue().replace(b"\xff", b"?").replace(b",done,", b",failed,").replace(ragged.encode(), good.encode())
    )
    assert counts(take(databases, corrected)) == (1, 0, 1, 0)


def test_records_set_aside_are_those_of_files_that_were_imported(databases: Databases) -> None:
    """What goes aside from one file after the other is one CSV, without that of a file that was not imported."""
    aside = io.BytesIO()
    ragged = record() + "x,y\n"

    take(databases, document(ragged), skipped=aside)
    with pytest.raises(NotPossible):
        take(databases, document(ragged) + b'"open\n', skipped=aside)
    take(databases, document(ragged), skipped=aside)

    assert aside.getvalue() == 2 * b'a.csv,2,"it has 2 cells, where the header has 11",x,y\n'


def test_a_full_disk_takes_no_record_that_is_wrong(
    databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Where the file for them has no room, nothing is imported, and what was set aside before stays."""
    ragged = record() + "x,y\n"
    path = tmp_path / "aside.csv"
    with open_aside(str(path)) as aside:
        take(databases, document(ragged), skipped=aside)
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(NotPossible, match=r"^The file for records that are wrong cannot be written: File too"):
                take(databases, document(record(job_id=ID.replace("1", "2")), "x,y\n" * 9), skipped=aside)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


def test_a_file_that_cannot_be_read_to_its_end_is_named(databases: Databases, tmp_path: Path) -> None:
    """An error of the disk is told as one of this file."""

    class Broken(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(NotPossible, match=r"^a\.csv cannot be read: Input/output error\.$"):
        import_jobs(databases, JobFile(file=Broken(), client_id="acme", name="a.csv"), COMMAND_LINE)


def test_the_first_and_the_last_times_that_there_are(settings: Settings, databases: Databases) -> None:
    """Jobs of the years 1 and 9999 are imported, and the link to them is one that the dashboard takes."""
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"

    imported = [take(databases, document(record(created_at=at, completed_at=at, job_id=str(uuid4()))))
                for at in (first, last)]  # fmt: skip

    links = [link_to_jobs(settings, "acme", each.first, each.last) for each in imported if each.first and each.last]
    assert [dict(parse_qsl(urlsplit(link.split()[-1]).query)) for link in links] == [
        {"from": "0001-01-01T00:00:00.000000Z", "to": "0001-01-01T00:00:00.000001Z", "client_id": "acme"},
        {"from": "9999-12-31T23:59:59.999999Z", "to": "9999-12-31T23:59:59.999999Z", "client_id": "acme"},
    ]


def test_a_job_never_moves_to_another_client(databases: Databases, connection: psycopg.Connection) -> None:
    """A file with another client's job is refused as a whole; demo clients cannot be imported to."""
    insert_job(connection, job_id=UUID(ID), client_id="other")

    with pytest.raises(NotPossible, match="1 job that another client has already"):
        take(databases, document(record(), record(job_id=ID.replace("1", "2"))))
    for name, fault in {"demo-x": "empty or begin with demo-", " ": "empty", "\udcff": "cannot be shown"}.items():
        with pytest.raises(InvalidParameter, match=f"^client .*{fault}"):
            take(databases, document(record()), client_id=name)

    assert connection.execute("SELECT client_id FROM jobs").fetchall() == [("other",)]


@examples(8)
@given(ids=st.tuples(*[st.sets(st.integers(1, 4), min_size=1)] * 2))
def test_of_two_clients_that_bring_one_job_at_once_one_has_it(
    databases: Databases, connection: psycopg.Connection, ids: tuple[set[int], set[int]]
) -> None:
    """Two imports that waited for the same lock end as one after the other: no job, and no log, changes its client."""
    connection.execute("TRUNCATE jobs, moderation_logs")
    files = {
        client: document(*(record(job_id=ID.replace("1", str(number)), prompt=client, category_nsfw=nsfw,
                                  completed_at=f"2026-04-15T12:00:0{number}Z") for number in sorted(given)))
        for client, nsfw, given in zip(("acme", "other"), ("true", "false"), ids, strict=True)
    }  # fmt: skip
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"  # noqa: E501

    with ThreadPoolExecutor(2) as pool:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('fencepost imports', 0))")
            running = {client: pool.submit(take, databases, data, client_id=client) for client, data in files.items()}
            wait_for(lambda: len(connection.execute(waiting).fetchall()) == 2, "two imports at the lock")
        refused = {client for client, future in running.items() if isinstance(future.exception(60), NotPossible)}

    both = connection.execute("SELECT DISTINCT client_id, prompt FROM jobs ORDER BY 1").fetchall()
    flags = "SELECT DISTINCT client_id, category_nsfw FROM jobs JOIN moderation_logs USING (job_id) ORDER BY 1"
    kept = sorted(set(files) - refused)
    assert len(refused) == (1 if ids[0] & ids[1] else 0)
    assert both == [(client, client) for client in kept]
    assert connection.execute(flags.encode()).fetchall() == [(client, client == "acme") for client in kept]


def test_imports_wait_for_each_other(settings: Settings, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two at once the second waits, also for longer than a statement waits for a lock, and then has its turn."""
    monkeypatch.setitem(SESSION, "lock_timeout", "50")
    hasty = open_databases(settings)
    second = partial(take, hasty, document(record(), record(job_id=ID.replace("1", "2"))))
    with ThreadPoolExecutor(1) as pool:
        started = []

        def hold(connection: Connection) -> None:
            started.append(pool.submit(second))
            waits = text("SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                         " WHERE datname = current_database() AND NOT granted)")  # fmt: skip
            wait_for(lambda: connection.execute(waits).scalar_one(), "the second import")
            connection.execute(text("SELECT pg_sleep(0.2)"))

        first = take(databases, document(record()), commit_with=hold)
        after = started[0].result(timeout=60)
    hasty.close()

    assert (counts(first), counts(after)) == ((1, 0, 0, 0), (1, 0, 1, 0))


def test_demo_jobs_leave_and_the_audit_knows(databases: Databases, connection: psycopg.Connection) -> None:
    """Demo jobs are removed first, other jobs stay, and the event holds numbers and a hash, never a text."""
    seed_jobs(databases, 20, seed=1, until=datetime(2026, 4, 30, tzinfo=UTC))
    insert_job(connection, client_id="acme")

    imported = take(databases, document(record()))

    assert imported.demo_removed
    assert connection.execute("SELECT client_id, count(*) FROM jobs GROUP BY 1").fetchall() == [("acme", 2)]
    ((event, subject, details),) = connection.execute("SELECT event, subject, details FROM audit_events").fetchall()
    assert (event, subject) == ("jobs-imported", "acme")
    assert set(details) == {"client", "sha256", "records", "inserted", "updated", "logs", "skipped"}


def test_the_command_says_what_it_did_and_where_to_look(
    run_core: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """New jobs are counted, a link shows exactly them, a missing file and a missing client are refused."""
    file = tmp_path / "export.csv"
    file.write_bytes(document(record()))

    done = run_core("import", "--client", "acme", str(file))
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\x1b[31m\n.csv"))
    odd.write_bytes(document(record(), "x\n"))
    aside = run_core("import", "--client", "acme", "--skip-bad", str(tmp_path / "aside.csv"), str(odd))
    missing = run_core("import", "--client", "acme", str(tmp_path / "none.csv"))
    folder = run_core("import", "--client", "acme", str(tmp_path))
    usage = run_core("import", str(file))

    assert (done.returncode, done.stdout) == (0, b"")
    assert b"1 record: 1 new job, 0 changed, 0 as they were, 0 new logs." in done.stderr
    assert (
        b"http://localhost:3051/?from=2026-04-15T12%3A00%3A00.000000Z&to=2026-04-15T12%3A00%3A00.000001Z&client_id=acme"
        in done.stderr
    )
    name = f"{tmp_path}/\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}[31m .csv"
    assert aside.stderr.decode().startswith(f"{name}: 1 record was skipped: see {tmp_path}/aside.csv.\n{name}: 2 rec")
    assert (
        (tmp_path / "aside.csv")
        .read_bytes()
        .endswith(f'\n{name},2,"it has 1 cell, where the header has 11",x\n'.encode())
    )
    assert (missing.returncode, missing.stderr.count(b"\n")) == (1, 1)
    assert b"No such file" in missing.stderr
    assert (folder.returncode, folder.stderr.count(b"\n")) == (1, 1)
    assert usage.returncode == 2
