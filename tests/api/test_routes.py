"""The API as others meet it: a process, real sockets, `curl`."""

import hashlib
import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from core.actor import KEY_SCOPES
from core.db.databases import Databases
from core.jobs.filter import PARAMETERS
from tests.support.asgi import APRIL, EXPORT, make_key
from tests.support.commands import RunCore
from tests.support.rows import insert_job, insert_large_jobs, insert_log
from tests.support.servers import serving
from tests.support.serving import ApiProcess, free_port

HEADER = (
    b"\xef\xbb\xbfjob_id,type,status,is_prohibited,created_at,completed_at,prompt,reason,"
    b"category_ai_adult_general,category_underage,category_nsfw\n"
)
BOUNDS = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z")


@pytest.fixture
def database_url(api: ApiProcess) -> str:
    """The URL of the process's database, which is emptied for each test."""
    with psycopg.connect(api.database_url) as emptying:
        emptying.execute("TRUNCATE jobs, moderation_logs, exports, api_keys")
    return api.database_url


@pytest.fixture(scope="module", autouse=True)
def incomplete(api: ApiProcess) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection that brings nothing, and one that brings half a request, before all tests: see the last one."""
    address = ("127.0.0.1", int(api.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=60) as silent, socket.create_connection(address, timeout=60) as half:
        half.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
        yield silent, half


@pytest.fixture
def key(databases: Databases) -> str:
    return make_key(databases)


def test_success_has_these_headers(api: ApiProcess, key: str) -> None:
    """A success names its file after the UTC dates and its export, is never stored, sniffed or compressed."""
    target = "/api/v1/jobs/export?from=2026-04-01T01:00:00%2B02:00&to=2026-04-30T23:00:00-02:00"

    answer = api.get(target, key, accept_encoding="gzip, br, zstd")

    headers = dict(answer.headers)
    del headers["date"]
    assert answer.status_code == 200
    assert UUID(headers.pop("x-export-id")).version == 4
    assert UUID(headers.pop("x-request-id"))
    assert headers == {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="jobs_2026-03-31_2026-05-01.csv"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "transfer-encoding": "chunked",
    }
    assert answer.content == HEADER


@pytest.mark.parametrize("query", ["&type=prompt", "&spreadsheet_safe=true", "&client_id=acme"])
def test_filtered_export_is_named_after_its_id(api: ApiProcess, key: str, query: str) -> None:
    """With any parameter beyond the bounds the name says `filtered` and carries the beginning of the export's id."""
    answer = api.get(EXPORT + query, key)

    export_id = answer.headers["x-export-id"]
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="jobs_2026-04-01_2026-05-01_filtered_{export_id[:8]}.csv"'
    )


def test_default_given_as_a_parameter_is_no_filter(api: ApiProcess, key: str) -> None:
    """`spreadsheet_safe=false` is what an export does anyway, and is not in its receipt either."""
    answer = api.get(f"{EXPORT}&spreadsheet_safe=false", key)

    receipt = api.get(f"/api/v1/exports/{answer.headers['x-export-id']}", key).json()
    assert answer.headers["content-disposition"] == 'attachment; filename="jobs_2026-04-01_2026-05-01.csv"'
    assert receipt["filter"] == {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("prefer", "total"),
    [
        ("count=exact", "2"),
        ('Count = "exact"', "2"),
        ("Count = Exact", "2"),
        ("return=minimal, count=exact; x=1", "2"),
        ("count=none", None),
        ("xcount=exact", None),
        ("return=minimal", None),
    ],
)
def test_total_is_counted_where_it_is_preferred(
    api: ApiProcess, key: str, connection: psycopg.Connection, prefer: str, total: str | None
) -> None:
    """`Prefer: count=exact` (RFC 7240) gives the number of records of this client and filter."""
    for type_, client_id in (("prompt", "acme"), ("prompt", "acme"), ("image", "acme"), ("prompt", "other")):
        insert_job(connection, type=type_, client_id=client_id)

    answer = api.get(f"{EXPORT}&type=prompt", key, prefer=prefer)

    assert answer.headers.get("x-total-count") == total
    assert answer.content.count(b"\n") == 3


def test_curl_gets_the_bytes_of_the_command(api: ApiProcess, run_core: RunCore, connection: psycopg.Connection) -> None:
    """With a key that the command line made, `curl` gets the bytes that `python -m core export` writes."""
    job_id = insert_job(connection, prompt='a "quoted", harmless\r\nprompt', reason="", is_prohibited=None)
    insert_log(connection, job_id, category_nsfw=None, category_underage=True)
    insert_job(connection, prompt=None, client_id="other", type="=type")
    insert_large_jobs(connection, 50, size=30_000)
    made = run_core("keys", "create", "--name", "curl", "--all-clients", "--scope", "job:read")

    body, errors = api.curl(EXPORT, f"Bearer {made.stdout.decode().strip()}").communicate(timeout=60)

    assert errors == b""
    assert body == run_core("export", *BOUNDS).stdout
    assert body.startswith(HEADER)
    assert body.count(b"prompt,completed") == 51


WALLED = {
    "from": "2026-04-15T12:00:00Z",
    "to": "2026-04-15T12:00:00.000001Z",
    "type": "prompt",
    "status": "completed,failed",
    "decision": "reject",
    "category": "nsfw,underage",
    "category_ai_adult_general": "false",
    "category_underage": "empty",
    "category_nsfw": "true",
    "evaluated": "true",
    "flagged": "true",
    "q": "HARMLESS",
    "reason": "a%20rule",
    "reason_contains": "RULE",
    "has_reason": "true",
    "job_id": "00000000-0000-0000-0000-00000000000,f",
    "api_key_id": "key-1,key-2",
    "client_id": "acme",
    "spreadsheet_safe": "true",
}


def test_no_parameter_leads_over_the_wall(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """Whatever a client asks for, alone or with all the rest, it sees its own jobs and no other's."""
    for number, client_id in enumerate(("acme", "other", "ACME", "acme ", ""), start=1):
        job_id = insert_job(
            connection,
            job_id=UUID(int=number),
            client_id=client_id,
            is_prohibited=True,
            prompt="harmless",
            reason="a rule",
            api_key_id="key-1",
        )
        insert_log(connection, job_id, category_underage=None, category_nsfw=True)
    bounds = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}
    queries = [bounds | {name: value} for name, value in WALLED.items()] + [WALLED]
    own = (
        b"00000000-0000-0000-0000-000000000001,prompt,completed,true,2026-04-15T12:00:00.000000Z,,harmless,"
        b"a rule,false,,true\n"
    )

    bodies = [
        api.get("/api/v1/jobs/export?" + "&".join(f"{name}={value}" for name, value in query.items()), key).content
        for query in queries
    ]

    assert WALLED.keys() == PARAMETERS.keys()
    assert bodies == [HEADER + own] * len(queries)


def test_staff_sees_all_and_may_name_a_client(
    api: ApiProcess, databases: Databases, connection: psycopg.Connection
) -> None:
    """A staff key sees the jobs of all clients, or those of the client that it names."""
    for client_id in ("acme", "other", "other"):
        insert_job(connection, client_id=client_id)
    staff = make_key(databases, None)

    rows = [
        api.get(EXPORT + query, staff).content.count(b"\n") - 1
        for query in ("", "&client_id=other", "&client_id=acme", "&client_id=nobody")
    ]

    assert rows == [3, 2, 1, 0]


def test_receipt_tells_everything_of_an_export(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """The receipt is the row of the export as JSON: who, what, when, how it ended, and the hash of the body."""
    insert_job(connection)
    export = api.get(f"{EXPORT}&status=failed,completed&q=A%20prompt", key)
    export_id = export.headers["x-export-id"]

    answer = api.get(f"/api/v1/exports/{export_id}", key)

    receipt = answer.json()
    times = [receipt.pop(name) for name in ("started_at", "snapshot_at", "heartbeat_at", "finished_at")]
    assert {name: answer.headers[name] for name in ("content-type", "cache-control", "x-content-type-options")} == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert receipt == {
        "export_id": export_id,
        "requested_by": f"key:{key.split('_')[1]}",
        "via": "api",
        "client_id": "acme",
        "filter": {
            "from": "2026-04-01T00:00:00Z",
            "to": "2026-05-01T00:00:00Z",
            "status": "completed,failed",
            "q": "A prompt",
        },
        "status": "complete",
        "rows": 1,
        "bytes": len(export.content),
        "sha256": hashlib.sha256(export.content).hexdigest(),
    }
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert times == sorted(times)


def test_receipt_is_for_its_client_and_for_staff(api: ApiProcess, databases: Databases, key: str) -> None:
    """Any key of the client that asked and any staff key may see a receipt; for others it is not there.

    What staff searched for is not the business of the client whose jobs it was about.
    """
    staff = make_key(databases, None)
    own = api.get(EXPORT, key).headers["x-export-id"]
    of_staff = api.get(EXPORT, staff).headers["x-export-id"]
    of_staff_for_acme = api.get(f"{EXPORT}&client_id=acme", staff).headers["x-export-id"]
    askers = [key, make_key(databases), make_key(databases, "other"), staff, make_key(databases, None)]

    seen = {
        name: [api.get(f"/api/v1/exports/{export_id}", asker).status_code for asker in askers]
        for name, export_id in (("own", own), ("of staff", of_staff), ("of staff for acme", of_staff_for_acme))
    }

    assert seen == {
        "own": [200, 200, 404, 200, 200],
        "of staff": [404, 404, 404, 200, 200],
        "of staff for acme": [404, 404, 404, 200, 200],
    }


def test_receipt_that_is_not_there_looks_like_one_of_another_client(
    api: ApiProcess, databases: Databases, key: str
) -> None:
    """An unknown id, what is no id, and somebody else's export get the same bytes."""
    others = api.get(EXPORT, make_key(databases, "other")).headers["x-export-id"]
    unknown = "00000000-0000-4000-8000-000000000000"

    answers = [api.get(f"/api/v1/exports/{name}", key) for name in (others, unknown, "x", "", "%00", "%FF", "1" * 99)]

    assert [(answer.status_code, answer.content) for answer in answers] == [(404, answers[0].content)] * len(answers)
    assert answers[0].json()["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api//x", f"/api/v1/jobs/export/?{APRIL}", f"/api/v1/jobs/export%00?{APRIL}", "/api/%FF", "/"],
)
def test_weird_path_is_404_in_json(api: ApiProcess, key: str, path: str) -> None:
    """Also on a real socket every unknown path gets the error of the table."""
    answer = api.get(path, key)

    assert (answer.status_code, answer.json()) == (
        404,
        {
            "error": "NOT_FOUND",
            "message": "There is nothing at this address: see /api/v1/openapi.json for what there is.",
            "statusCode": 404,
        },
    )


@pytest.mark.parametrize("query", ["&".join(["type=x"] * 101), "&".join(["x"] * 1001)])
def test_query_that_cannot_be_read_is_400(api: ApiProcess, key: str, query: str) -> None:
    """More parameters than anybody needs are refused."""
    answer = api.get(f"{EXPORT}&{query}", key)

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "error": "INVALID_REQUEST",
            "message": "There are more than 100 parameters: give each one once, with commas between values.",
            "statusCode": 400,
        },
    )


@pytest.mark.parametrize("query", ["x=1", "x", "limit="])
def test_an_address_that_takes_no_parameters_refuses_any(
    api: ApiProcess, key: str, databases: Databases, query: str
) -> None:
    """A receipt and the verdicts on a job know no parameters, and ignore none."""
    staff = make_key(databases, None, scopes=frozenset(KEY_SCOPES))
    export_id = api.get(EXPORT, key).headers["x-export-id"]

    for path in (f"/api/v1/exports/{export_id}", f"/api/v1/jobs/{UUID(int=1)}/reviews"):
        answer = api.get(f"{path}?{query}", staff)

        assert (answer.status_code, answer.json()) == (
            400,
            {
                "error": "INVALID_REQUEST",
                "message": "This address takes no parameters: remove them.",
                "statusCode": 400,
            },
        )


@pytest.mark.parametrize("query", ["q=%FF", "q=%ED%A0%80"])
def test_a_value_that_is_not_utf_8_is_named(api: ApiProcess, key: str, query: str) -> None:
    """What is not UTF-8 is refused and not guessed at; the message names the parameter."""
    answer = api.get(f"{EXPORT}&{query}", key)

    assert (answer.status_code, answer.json()["message"]) == (400, "q is not UTF-8: percent-encode it as UTF-8.")


@pytest.mark.parametrize(
    "line",
    [
        f"GET {EXPORT}&q=é HTTP/1.1",
        f"GET {EXPORT}&q=a b HTTP/1.1",
        f"GET {EXPORT}&q={'a' * 70_000} HTTP/1.1",
        "FOO / HTTP/1.1",
    ],
    ids=["not ASCII", "blank", "long", "method"],
)
def test_what_cannot_be_read_gets_an_error_like_any_other(api: ApiProcess, line: str) -> None:
    """What is no HTTP, as when `curl` sends an address as it was typed, gets the API's own form of an error."""
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=60) as client:
        client.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert {b"content-type: application/json", b"cache-control: no-store", b"connection: close"} <= set(
        head.split(b"\r\n")
    )
    assert json.loads(body) == {
        "error": "INVALID_REQUEST",
        "message": "The request cannot be read: shorten its address, and percent-encode what is not ASCII there.",
        "statusCode": 400,
    }


def test_one_connection_too_many_is_told_so(database_url: str, tmp_path: Path) -> None:
    """With few open files the server answers whom it cannot serve in a sentence, and the log has one line about it."""
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)); sys.argv[0] = 'api'; "
    port = free_port()
    command = [sys.executable, "-c", f"{limit}runpy.run_module('api', run_name='__main__')", "--port", str(port)]
    with serving(command, port, tmp_path, {"DATABASE_URL": database_url}) as running, ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(40)]
        answer = opened[-1].recv(4096)
        log = running.log

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 60\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {
        "error": "UNAVAILABLE",
        "message": "Too many people are here at once: try again in a minute.",
        "statusCode": 503,
    }
    assert log.count("as many connections as this process may have") == 1
    assert "Traceback" not in log


def test_head_is_405_without_a_body(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """HEAD is refused with the methods that there are, and costs no export."""
    answer = api.get(EXPORT, key, method="HEAD")

    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "GET", b"")
    assert connection.execute("SELECT count(*) FROM exports").fetchone() == (0,)


def test_two_authorizations_are_401_on_a_real_socket(api: ApiProcess, key: str) -> None:
    """Two headers are not merged into one by whatever lies between."""
    assert [api.get(EXPORT, *keys).status_code for keys in ((key, key), (key,))] == [401, 200]


def test_websocket_is_answered_like_any_request(api: ApiProcess) -> None:
    """There is nothing to upgrade to: a handshake gets the answer that its address gives."""
    handshake = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec_websocket_version": "13",
        "sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    answers = [api.get(path, **handshake) for path in ("/health", "/api", EXPORT)]

    assert [(answer.status_code, answer.headers["content-type"]) for answer in answers] == [
        (200, "application/json"),
        (404, "application/json"),
        (401, "application/json"),
    ]


def test_the_first_and_the_last_years_are_exported(api: ApiProcess, key: str, database_url: str) -> None:
    """Jobs of the years 1 and 9999 come in whole, in slices as any others, with a total, a name and a receipt."""
    years = {"0001": ("0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"),
             "9999": ("9999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")}  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as connection:
        for start, _ in years.values():
            connection.execute(
                """
                INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt)
                SELECT gen_random_uuid(), 'acme', 'prompt', 'completed', true, at, at, 'a prompt'
                FROM (SELECT %s::timestamptz + n * interval '5 hours' AS at FROM generate_series(0, 1500) AS n) AS times
                """,
                (start,),
            )

    for year, (start, end) in years.items():
        answer = api.get(f"/api/v1/jobs/export?from={start}&to={end}&decision=reject", key, prefer="count=exact")
        rows = answer.content.splitlines()[1:]
        receipt = api.get(f"/api/v1/exports/{answer.headers['x-export-id']}", key).json()

        assert answer.headers["x-total-count"] == "1501"
        assert len(rows) == 1501
        assert all(f",true,{year}-".encode() in row for row in rows)
        assert f'"jobs_{start[:10]}_{end[:10]}_filtered_' in answer.headers["content-disposition"]
        assert receipt["filter"] == {"from": start, "to": end, "decision": "reject"}
        assert (receipt["status"], receipt["rows"]) == ("complete", 1501)


def test_half_a_request_is_not_waited_for(api: ApiProcess, incomplete: tuple[socket.socket, socket.socket]) -> None:
    """A connection that brings no whole request in time is dropped, and one that brings too much at once.

    The last test of this file: the time of the first two runs from its beginning.
    """
    address = ("127.0.0.1", int(api.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=60) as large:
        large.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Large: ")
        with suppress(ConnectionError):
            for _ in range(40):
                large.sendall(b"x" * 16_384)
        refused = b""
        with suppress(ConnectionError):
            refused = large.recv(4096)
    dropped = []
    for opened in incomplete:
        with suppress(ConnectionError):
            dropped.append(opened.recv(4096))

    assert refused[:12] in (b"", b"HTTP/1.1 431")
    assert all(answer == b"" for answer in dropped)
    assert api.get("/health").status_code == 200
