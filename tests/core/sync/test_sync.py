"""Syncs: whatever lies between, what the other server has arrives as a whole, once, and in order."""

import io
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import DatabaseUnavailable, InvalidParameter, InvalidSetting, NotPossible, ServerFailed
from core.instants import parse_instant, print_instant
from core.jobs.filter import LONGEST_RANGE, JobFilter
from core.settings import Settings
from core.sync.endpoint import parse_url
from core.sync.remote_export import RemoteExport
from core.sync.sync import ATTEMPTS, Pause, Sync, Window
from tests.conftest import ROOT, TestServer
from tests.support.asgi import make_key
from tests.support.documents import HEADER, export_document
from tests.support.examples import examples
from tests.support.faulty_proxy import (
    Fault,
    FaultyProxy,
    answer,
    cut,
    cut_packed,
    drip,
    end_politely,
    faulty_proxy,
    pack,
    reset,
    wait_for_event,
    whole,
)
from tests.support.memory import measured_memory
from tests.support.rows import insert_job, insert_log
from tests.support.serving import free_port, serve_api
from tests.support.waiting import PATIENCE, wait_for

SINCE = datetime(2024, 1, 1, tzinfo=UTC)
# As they are asked for, and a bit more.
YEARS = [(SINCE + number * LONGEST_RANGE, SINCE + (number + 1) * LONGEST_RANGE) for number in range(4)]
CSV = "Content-Type: text/csv"


@dataclass(frozen=True)
class Source:
    """A server in a process of its own that speaks the endpoint, behind a proxy, and a key for it."""

    databases: Databases
    connection: psycopg.Connection
    proxy: FaultyProxy
    key: str


@pytest.fixture(scope="module")
def running_source(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The server with some jobs of each year."""
    name = f"fencepost_source_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    databases = open_databases(Settings(database_url=SecretStr(url)))
    key = make_key(databases).removeprefix("Bearer ")
    log = tmp_path_factory.mktemp("source") / "api.log"
    with (
        psycopg.connect(url, autocommit=True) as connection,
        serve_api(url, log, FENCEPOST_REQUESTS_PER_MINUTE="100000") as api,
        faulty_proxy(int(api.url.rpartition(":")[2])) as proxy,
    ):
        for number in range(30):
            created = SINCE + number * timedelta(days=33, microseconds=1)
            job_id = insert_job(connection, created_at=created, prompt=f'a "prompt",\nÉ {number}', is_prohibited=True)
            insert_log(connection, job_id, category_nsfw=None if number % 2 else True)
        yield Source(databases, connection, proxy, key)
    databases.close()
    server.drop(name)


@pytest.fixture
def source(running_source: Source) -> Source:
    """The server, of which nothing was asked yet."""
    running_source.proxy.start_over()
    return running_source


def make_sync(databases: Databases, source: Source, url: str | None = None, **values: Any) -> Sync:
    remote = RemoteExport(
        parse_url(url or source.proxy.url),
        SecretStr(source.key),
        client_id=values.pop("remote_client", None),
        timeout=values.pop("timeout", PATIENCE),
    )
    options: dict[str, Any] = {"client_id": "acme", "since": SINCE, "overlap": timedelta(hours=24), "longest_wait": 0}
    return Sync(databases=databases, remote=remote, by=COMMAND_LINE, **(options | values))


def pull(databases: Databases, source: Source, url: str | None = None, **values: Any) -> list[Window | Pause]:
    sync = make_sync(databases, source, url, **values)
    try:
        return list(sync.run())
    finally:
        sync.remote.close()


def documents(databases: Databases) -> list[bytes]:
    """Export everything, a year a document."""
    bounds = [{"from": print_instant(start), "to": print_instant(end)} for start, end in YEARS]
    return [
        export_document(databases, JobFilter.from_params((given | {"client_id": "acme"}).items())) for given in bounds
    ]


def asked(source: Source) -> list[tuple[datetime, datetime]]:
    return [(parse_instant("from", start), parse_instant("to", end)) for start, end in source.proxy.bounds()]


def count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


FAULTS: dict[str, Fault] = {
    "reset": reset,
    "closed": answer("200 OK", CSV, "Transfer-Encoding: chunked"),
    "headless": cut(0),
    "cut in the header": cut(20),
    "cut in the middle": cut(700),
    "cut at its very end": cut(-1),
    "reset in the middle": cut(700, then=reset),
    "ended politely in a record": end_politely(700, hides_total=True),
    "ended politely after a record": end_politely(len(HEADER)),
    "ended politely without anything": end_politely(0, hides_total=True),
    "500": answer("500 Internal Server Error", body="oops"),
    "503": answer("503 Service Unavailable", "Retry-After: 0"),
    "429": answer("429 Too Many Requests", "Retry-After: 0"),
    "a late 429": answer("429 Too Many Requests", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"),
    "408": answer("408 Request Timeout"),
}


@examples(3)
@given(names=st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=5))
def test_whatever_lies_between_what_arrives_is_the_same(
    databases: Databases, connection: psycopg.Connection, source: Source, names: list[str]
) -> None:
    """After any faults the target exports what the source exports, and each window was imported once, in order."""
    connection.execute("TRUNCATE jobs, moderation_logs, syncs")
    source.proxy.start_over([FAULTS[name] for name in names])

    steps = pull(databases, source)

    windows = [step.range for step in steps if isinstance(step, Window)]
    assert documents(databases) == documents(source.databases)
    assert windows[0].start == SINCE
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert all(start < end <= start + LONGEST_RANGE for start, end in asked(source))
    assert sum(step.imported.records for step in steps if isinstance(step, Window)) == count(source.connection, "jobs")


def test_each_fault_is_a_pause(source: Source) -> None:
    """After each fault nothing is imported and the same is asked for again."""
    first = {}
    for name, fault in FAULTS.items():
        source.proxy.start_over([fault])
        sync = make_sync(source.databases, source)
        first[name] = next(sync.run())
        sync.remote.close()

    assert {name: step for name, step in first.items() if not isinstance(step, Pause)} == {}


def test_windows_shrink_where_the_server_struggles_and_grow_back_slowly(databases: Databases, source: Source) -> None:
    """Each failure halves the window, each success makes the next a quarter longer; patience alone changes nothing."""
    struggle = FAULTS["500"]
    source.proxy.start_over([struggle, FAULTS["429"], struggle, whole, whole, whole])

    pull(databases, source)

    days = [round((end - start) / timedelta(days=1), 2) for start, end in asked(source)]
    assert days[:6] == [366, 183, 183, 91.5, 114.38, 142.97]


def test_what_was_learnt_is_read_whatever_a_database_prefers(
    databases: Databases, source: Source, connection: psycopg.Connection
) -> None:
    """The next run begins with the window that the last one came to, also where intervals are written another way."""
    name = psycopg.sql.Identifier(connection.info.dbname)
    connection.execute(psycopg.sql.SQL("ALTER DATABASE {} SET IntervalStyle = 'iso_8601'").format(name))

    for _ in range(2):
        assert all(isinstance(step, Window) for step in pull(databases, source))

    assert documents(databases) == documents(source.databases)


def test_a_server_that_says_nothing_is_asked_for_less(source: Source) -> None:
    """Silence beyond the time limit counts as a struggle."""
    source.proxy.start_over([wait_for_event(over := threading.Event())])

    sync = make_sync(source.databases, source, timeout=0.2)
    pause = next(sync.run())
    over.set()

    assert isinstance(pause, Pause)
    assert pause.reason == f"{sync.remote.host} sent next to nothing for 0.2 s."


HEAD = f"HTTP/1.1 200 OK\r\n{CSV}\r\n".encode()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
    ],
    ids=["100 Continue", "header", "body", "chunks", "trailers"],
)
def test_a_server_that_drips_is_given_up(source: Source, head: bytes, piece: bytes) -> None:
    """Whatever comes a bit at a time, without end, is as good as silence: each read is short, the whole is not."""
    over = threading.Event()
    source.proxy.start_over([drip(head, piece, until=over)])

    sync = make_sync(source.databases, source, timeout=0.5)
    pause = next(sync.run())
    over.set()

    assert isinstance(pause, Pause)
    assert pause.reason == f"{sync.remote.host} sent next to nothing for 0.5 s."


def test_a_body_that_was_packed_on_the_way_is_unpacked(databases: Databases, source: Source) -> None:
    """One layer of gzip is taken, although none was asked for."""
    source.proxy.start_over([pack("gzip"), pack("x-gzip"), cut_packed])

    steps = pull(databases, source)

    assert documents(databases) == documents(source.databases)
    assert [step.reason.partition(" ")[2] for step in steps if isinstance(step, Pause)] == ["cut its export."]


def test_a_body_that_ends_within_a_record_is_said_to(source: Source) -> None:
    """A quote that nothing closes takes all that follows: the sentence does not say that the server cut it."""
    source.proxy.start_over([pack("gzip", f'{HEADER.decode()}a 5" disk,prompt\r\n'.encode())])

    pause = next(make_sync(source.databases, source).run())

    assert isinstance(pause, Pause)
    assert pause.reason.endswith(
        " sent an export that ends within a record: it was cut, or has a quote that is not doubled."
    )


@pytest.mark.parametrize("encoding", ["gzip, gzip, gzip", "gzip, identity", "br", "deflate", "zstd", "x"])
def test_other_and_stacked_encodings_are_refused(source: Source, encoding: str) -> None:
    """What may unpack to anything is not unpacked at all."""
    source.proxy.start_over([answer("200 OK", CSV, f"Content-Encoding: {encoding}", body="packed")])

    with pytest.raises(NotPossible, match="packs its exports in a way that was not asked for: let nothing in front"):
        pull(source.databases, source)

    assert len(source.proxy.targets) == 1


def test_a_bomb_is_one_sentence_in_flat_memory(
    databases: Databases, connection: psycopg.Connection, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a body unpacks to counts, not what was sent, for the shortest window, too."""
    monkeypatch.setattr("core.sync.sync.LARGEST", 1024**2)
    source.proxy.start_over([pack("gzip", HEADER, again=b"\n" * 1_000_000, times=300)] * 40)

    with measured_memory() as grown, pytest.raises(NotPossible) as refused:
        pull(databases, source)

    assert str(refused.value).endswith(
        " sends more than 1 MB for one second: let the server be fixed, or leave this time out."
    )
    assert (len(source.proxy.targets), count(connection, "jobs")) == (26, 0)
    assert grown() < 50


def test_a_window_that_is_too_large_is_asked_for_in_parts(
    databases: Databases, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the directory for temporary files has a limit, whatever the server sends."""
    monkeypatch.setattr("core.sync.sync.LARGEST", 1000)

    steps = pull(databases, source)

    assert documents(databases) == documents(source.databases)
    assert max(step.imported.records for step in steps if isinstance(step, Window)) < 10


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 7"], 7),
        (["Retry-After: Wed, 21 Oct 2015 07:28:09 GMT", "Date: Wed, 21 Oct 2015 07:28:00 GMT"], 9),
        (["Retry-After: soon"], 0),
        ([], 0),
    ],
)
def test_the_server_says_how_long_to_wait(source: Source, headers: list[str], seconds: float) -> None:
    """`Retry-After` is a number of seconds or a date of the server's own clock; what is neither counts for nothing."""
    source.proxy.start_over([answer("429 Too Many Requests", *headers)])

    pause = next(make_sync(source.databases, source).run())

    assert isinstance(pause, Pause)
    assert pause.seconds == seconds


@pytest.mark.parametrize("wait", ["3601", "999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_wants_to_be_left_alone_is(source: Source, wait: str) -> None:
    """Beyond an hour a run ends, and `--every` waits a week at most."""
    source.proxy.start_over([answer("429 Too Many Requests", f"Retry-After: {wait}")])

    with pytest.raises(ServerFailed, match="What was pulled so far is kept") as failed:
        pull(source.databases, source)

    assert 3600 < failed.value.retry_after <= 7 * 24 * 3600
    assert len(source.proxy.targets) == 1


def test_the_back_off_is_random_and_has_a_cap(source: Source) -> None:
    """Pauses are drawn from zero to a limit that doubles up to the cap."""
    source.proxy.start_over([FAULTS["429"]] * 5)

    sync = make_sync(source.databases, source, longest_wait=0.01)
    pauses = [step.seconds for step, _ in zip(sync.run(), range(5), strict=False) if isinstance(step, Pause)]

    assert len(set(pauses)) == 5
    assert all(0 <= seconds <= 0.01 for seconds in pauses)


def test_after_some_attempts_a_run_ends_and_the_next_asks_for_less(databases: Databases, source: Source) -> None:
    """What was pulled is kept, and so is how little the server could give."""
    source.proxy.start_over([whole, *[FAULTS["500"]] * ATTEMPTS])

    with pytest.raises(ServerFailed) as given_up:
        pull(databases, source)
    before = asked(source)
    next(make_sync(databases, source).run())

    assert str(given_up.value).endswith(" failed (500). What was pulled so far is kept: run this again later.")
    assert len(before) == 1 + ATTEMPTS
    assert asked(source)[len(before)] == (YEARS[1][0], YEARS[1][0] + LONGEST_RANGE / 2**ATTEMPTS)


def test_jobs_that_are_decided_later_arrive(databases: Databases, source: Source) -> None:
    """A second run asks for the overlap only, and brings what was decided and made since."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    insert_job(source.connection, created_at=hour_ago, is_prohibited=None, status="processing")
    pull(databases, source)
    started = datetime.now(UTC)
    source.connection.execute("UPDATE jobs SET is_prohibited = true, status = 'completed' WHERE status = 'processing'")
    insert_job(source.connection, created_at=started)
    source.proxy.start_over()

    steps = pull(databases, source)

    ((start, end),) = asked(source)
    assert timedelta(hours=23) < started - start < timedelta(hours=25)
    assert end > started
    assert [(step.imported.inserted, step.imported.updated) for step in steps if isinstance(step, Window)] == [(1, 1)]
    assert documents(databases) == documents(source.databases)


def test_an_earlier_day_and_a_longer_overlap_bring_only_what_is_missing(databases: Databases, source: Source) -> None:
    """What is done is a set of ranges: whoever asks for more gets the rest of it."""
    later = SINCE + LONGEST_RANGE
    pull(databases, source, since=later)
    source.proxy.start_over()

    pull(databases, source, overlap=timedelta(days=9))

    first, second = asked(source)
    assert first == (SINCE, later)
    assert second[1] - second[0] > timedelta(days=9)
    assert documents(databases) == documents(source.databases)


def test_another_client_there_is_another_sync(
    databases: Databases, connection: psycopg.Connection, source: Source
) -> None:
    """`client_id` is passed on, and what was done is noted for it alone."""
    pull(databases, source, remote_client="acme")

    assert all(target.endswith("&client_id=acme") for target in source.proxy.targets)
    rows = connection.execute("SELECT url, remote_client, client_id FROM syncs").fetchall()
    assert rows == [(f"{source.proxy.url}/api/v1/jobs/export", "acme", "acme")]
    assert documents(databases) == documents(source.databases)


def test_a_database_that_goes_in_the_middle_loses_and_repeats_nothing(
    databases: Databases, connection: psycopg.Connection, source: Source
) -> None:
    """Where the import is broken off, neither jobs nor the note of them are there, and the next run goes on."""
    connection.execute("""
        CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()) FROM syncs; RETURN NEW; END';
        CREATE TRIGGER go AFTER INSERT ON jobs EXECUTE FUNCTION go()
    """)

    with pytest.raises(DatabaseUnavailable):
        pull(databases, source)
    (first, second), left = asked(source), count(connection, "jobs")
    connection.execute("DROP FUNCTION go CASCADE")
    source.proxy.start_over()
    pull(databases, source)

    assert (left, count(connection, "audit_events")) == (12, 3)
    assert asked(source)[0] == second
    assert first[1] == second[0]
    assert documents(databases) == documents(source.databases)


@pytest.fixture
def environment(database_url: str, source: Source) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": database_url, "FENCEPOST_SYNC_KEY": source.key}


def start(source: Source, environment: dict[str, str], *options: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "core", "sync", "--url", source.proxy.url, "--client", "acme"]
    command += ["--since", "2024-01-01", "--longest-wait", "0s", *options]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, **more)


def test_a_sync_that_is_killed_in_the_middle_goes_on_from_there(
    databases: Databases, connection: psycopg.Connection, source: Source, environment: dict[str, str]
) -> None:
    """After SIGKILL in the middle of a body the next run begins with that window; only requests hold the key."""
    source.proxy.start_over([whole, cut(700, then=wait_for_event(over := threading.Event()))])

    killed = start(source, environment)
    wait_for(lambda: len(source.proxy.targets) == 2, "the second window")
    killed.kill()
    killed.communicate(timeout=PATIENCE)
    over.set()
    left = count(connection, "jobs")
    going_on = start(source, environment)
    _, said = going_on.communicate(timeout=PATIENCE)

    windows = asked(source)
    assert left == 12
    assert windows[1][0] == windows[2][0] == YEARS[1][0]
    assert len(windows) == 4
    assert documents(databases) == documents(source.databases)
    assert going_on.returncode == 0
    lines = said.splitlines()
    assert lines[0] == (
        "2025-01-01T00:00:00Z to 2026-01-02T00:00:00Z: 11 records: 11 new jobs, 0 changed, 0 as they were, 11 new logs."
    )
    assert lines[-1].startswith("Look at them in the dashboard: http://localhost:3051/?from=2025-")
    ((details,), *_) = connection.execute("SELECT details FROM audit_events ORDER BY seq").fetchall()
    origin = {name: details[name] for name in ("via", "host", "from", "to")}
    host = source.proxy.url.removeprefix("http://")
    assert origin == {"via": "sync", "host": host, "from": "2024-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}
    kept = connection.execute(
        "SELECT syncs::text FROM syncs UNION ALL SELECT details::text FROM audit_events"
    ).fetchall()
    assert source.key.split("_")[2] not in f"{kept} {said}"
    assert all(source.key in request.decode() for request in source.proxy.requests)


def test_a_sync_that_is_killed_in_an_import_goes_on_at_once(
    databases: Databases, connection: psycopg.Connection, source: Source, environment: dict[str, str]
) -> None:
    """After SIGKILL in the middle of an import its lock is given back, and nothing of the window is there."""
    connection.execute("""
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(60) FROM syncs; RETURN NEW; END';
        CREATE TRIGGER wait AFTER INSERT ON jobs EXECUTE FUNCTION wait()
    """)
    sleeping = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"

    killed = start(source, environment)
    wait_for(lambda: connection.execute(sleeping).fetchall(), "the import of the second window")
    killed.kill()
    killed.communicate(timeout=PATIENCE)
    connection.execute("DROP FUNCTION wait CASCADE")
    left = count(connection, "jobs")
    pull(databases, source)

    starts = [start for start, _ in asked(source)]
    assert left == 12
    assert starts == [SINCE, YEARS[1][0], YEARS[1][0], YEARS[2][0]]
    assert documents(databases) == documents(source.databases)


def test_every_keeps_going_over_failures_until_it_is_stopped(
    databases: Databases, source: Source, environment: dict[str, str]
) -> None:
    """`--every` says that the server failed and goes on; SIGTERM ends it in a line."""
    source.proxy.start_over([FAULTS["429"]] * ATTEMPTS)

    process = start(source, environment, "--every", "1s")
    wait_for(lambda: len(source.proxy.targets) > ATTEMPTS + 4, "a third run")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)

    lines = said.splitlines()
    assert (process.returncode, lines[-1]) == (1, "Error: Stopped.")
    assert "run this again later. The next attempt is in 1 s." in lines[ATTEMPTS - 1]
    assert documents(databases) == documents(source.databases)


def test_a_full_disk_is_one_line(source: Source, environment: dict[str, str], connection: psycopg.Connection) -> None:
    """Where an export does not fit into the directory for temporary files, the command says what to do."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (1000, 1000))

    process = start(source, environment, preexec_fn=limit)
    _, said = process.communicate(timeout=PATIENCE)

    assert (process.returncode, count(connection, "jobs")) == (1, 0)
    assert said == (
        "Error: The directory for temporary files cannot hold an export: File too large. Make room there, or let "
        "TMPDIR name another one.\n"
    )


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (answer("401 Unauthorized"), "does not accept the key: correct FENCEPOST_SYNC_KEY."),
        (answer("403 Forbidden"), "refuses this key the jobs: give it the scope job:read there"),
        (answer("404 Not Found"), "has no export of jobs at this address: correct --url."),
        (answer("400 Bad Request"), "refuses the request (400): check that --url is an export of jobs"),
        (answer("204 No Content"), "refuses the request (204)"),
        (
            answer("302 Found", "Location: https://other.example.com/"),
            "sends on to another address, where the key is not taken",
        ),
        (answer("200 OK", "Content-Type: text/html", body="<html>"), "answers with a page instead of CSV"),
        (answer("200 OK", "Content-Type: application/json", body="{}"), "answers with something else instead of CSV"),
        (answer("200 OK", CSV, body="a,b\n1,2\n"), "is no export of jobs: its first line is no header."),
        (answer("200 OK", CSV, body=HEADER.decode()[1:] + "x,p,done,,,,,,,,\n"), "line 2 (record 1): job_id is 'x'"),
        (
            answer("200 OK", CSV, body=HEADER.decode()[1:] + 'x,"y" z""\n'),
            "type: text follows the quote that closes it.",
        ),
    ],
)
def test_what_trying_again_does_not_mend_ends_at_once(source: Source, response: Fault, sentence: str) -> None:
    """A wrong key, address or answer is one sentence after one request, without the key."""
    source.proxy.start_over([response])

    with pytest.raises(NotPossible) as refused:
        pull(source.databases, source)

    assert sentence in str(refused.value)
    assert source.key.split("_")[2] not in str(refused.value)
    assert len(source.proxy.targets) == 1


def test_a_body_whose_end_cannot_be_told_is_not_believed(source: Source) -> None:
    """Without a length, chunks or a total, a cut export would look whole."""

    def endless(client: Any, request: bytes, ask: Any) -> None:
        client.sendall(f"HTTP/1.0 200 OK\r\n{CSV}\r\n\r\n".encode() + HEADER)

    source.proxy.start_over([endless])

    with pytest.raises(NotPossible, match="does not tell where its exports end"):
        pull(source.databases, source)


def test_a_server_that_is_not_there_is_one_sentence(source: Source) -> None:
    """Nobody listens, no such name, no TLS: the run ends at once."""
    said, upstream = [], source.proxy.upstream
    for url in (f"http://127.0.0.1:{free_port()}", "https://fencepost.invalid", f"https://127.0.0.1:{upstream}"):
        with pytest.raises(ServerFailed) as failed:
            pull(source.databases, source, url, timeout=5)
        said.append(str(failed.value).partition(" ")[2])

    assert said == [
        "is not reached: start it, or correct --url.",
        "has no address: correct --url.",
        "does not speak TLS as it should: correct --url.",
    ]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://api.example.com", "https://api.example.com/api/v1/jobs/export"),
        ("HTTPS://API.example.com:443/", "https://api.example.com/api/v1/jobs/export"),
        ("https://api.example.com/api/v1/jobs/export/", "https://api.example.com/api/v1/jobs/export"),
        ("https://api.example.com/other", "https://api.example.com/other"),
        ("http://localhost:3051", "http://localhost:3051/api/v1/jobs/export"),
        ("http://[::1]:3051", "http://[::1]:3051/api/v1/jobs/export"),
    ],
)
def test_an_address_without_a_path_is_that_of_the_endpoint(url: str, address: str) -> None:
    """Addresses that mean the same are noted as the same."""
    assert str(parse_url(url)) == address


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://api.example.com", "url must begin with https:// for another machine"),
        ("http://127.0.0.1.example.com", "url must begin with https:// for another machine"),
        ("https://me:hunter2@api.example.com", "url is more than an address"),
        ("https://api.example.com/?key=hunter2", "url is more than an address"),
        ("api.example.com", "url is not an address like"),
        ("https://", "url is not an address like"),
        ("https://a b", "url is not an address like"),
        ("https://a:99999", "url is not an address like"),
        ("ftp://a", "url is not an address like"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, sentence: str) -> None:
    """The key never goes in clear, and what an address holds beside itself is not repeated."""
    with pytest.raises(InvalidParameter, match=sentence) as refused:
        parse_url(url)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("key", [None, "", "two words", "é"])
def test_a_key_that_is_none_is_refused(key: str | None) -> None:
    """Without a key that a header can carry nothing is asked."""
    with pytest.raises(InvalidSetting, match="FENCEPOST_SYNC_KEY"):
        RemoteExport(parse_url("https://a.example"), None if key is None else SecretStr(key), client_id=None, timeout=1)


def test_jobs_of_a_source_that_is_not_ours_are_not_synced(
    databases: Databases, source: Source, database_url: str
) -> None:
    """Somebody else's database is not written, and nothing is asked for it; nor is anything before it was made."""
    url = SecretStr(database_url)
    both = open_databases(Settings(database_url=url, source_database_url=url))
    try:
        with pytest.raises(NotPossible, match="unset it to import"):
            pull(both, source)
        with pytest.raises(InvalidParameter, match="since is in the future"):
            pull(databases, source, since=datetime.now(UTC) + timedelta(days=1))
    finally:
        both.close()

    assert source.proxy.targets == []


def test_a_record_that_is_wrong_is_refused_or_set_aside_as_in_a_file(
    databases: Databases, connection: psycopg.Connection, source: Source
) -> None:
    """What is pulled is read as strictly as a file; with a place for it the records around it are imported."""
    rest = ",prompt,completed,true,2020-01-15T10:00:00.000000Z,,{},,,,\n"
    records = [
        f"{UUID(int=number)}{rest.format(text)}" for number, text in enumerate(('"say "hello" now"', "a prompt"))
    ]
    body = HEADER.decode().removeprefix("\ufeff") + "".join(records)
    wrong = answer("200 OK", CSV, "X-Total-Count: 2", body=body)

    source.proxy.start_over([wrong])
    with pytest.raises(NotPossible, match=r"\(record 1\): prompt: text follows the quote that closes it\."):
        pull(databases, source)
    before = count(connection, "jobs")
    source.proxy.start_over([wrong])
    aside = io.BytesIO()
    first = next(make_sync(databases, source, skipped=aside).run())

    assert before == 0
    assert isinstance(first, Window)
    assert (first.imported.inserted, first.imported.skipped) == (1, 1)
    assert aside.getvalue().decode().endswith(f"prompt: text follows the quote that closes it,{records[0]}")
