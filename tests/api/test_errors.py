"""The table of errors, and the order in which they are found."""

import asyncio
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import BASE62, revoke_key
from core.db.databases import Databases
from core.db.startup import open_databases
from core.settings import Settings
from tests.support.asgi import APRIL, EXPORT, Answer, FakeReader, Then, ask, create_api, exchange, make_key, run
from tests.support.rows import insert_large_jobs

RECEIPT = "/api/v1/exports/00000000-0000-4000-8000-000000000000"
KNOWN = (
    "from, to, type, status, decision, category, category_ai_adult_general, category_underage, category_nsfw, "
    "evaluated, flagged, q, reason, reason_contains, has_reason, job_id, api_key_id, client_id, spreadsheet_safe"
)


class Keys(dict[str, str]):
    """The keys of those who ask, each made when a test names it: most tests name one of ten."""

    def __init__(self, databases: Databases, connection: psycopg.Connection) -> None:
        self._databases = databases
        self._connection = connection

    def __missing__(self, name: str) -> str:
        self[name] = self._make(name)
        return self[name]

    def _make(self, name: str) -> str:
        match name:
            case "acme":
                return make_key(self._databases)
            case "other":
                return make_key(self._databases, "other")
            case "scopeless":
                return make_key(self._databases, scopes=frozenset[Scope]())
            case "admin_only":
                return make_key(self._databases, scopes=frozenset({Scope.ADMIN_CONFIG}))
            case "unknown":
                key = make_key(self._databases)
                self._connection.execute("DELETE FROM api_keys WHERE key_id = %s", [_key_id(key)])
                return key
            case "expired":
                key = make_key(self._databases, expires_at=datetime.now(UTC) + timedelta(days=1))
                self._connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [_key_id(key)])
                return key
            case "revoked":
                key = make_key(self._databases)
                revoke_key(self._databases, COMMAND_LINE, _key_id(key))
                return key
            case "wrong_secret":
                # The key id of one key, the secret of another: well-formed, and its checksum is right.
                return with_secret_of(self["other"], self["acme"])
            case "wrong_checksum":
                return self["acme"][:-1] + ("0" if self["acme"][-1] != "0" else "1")
            case "malformed":
                return self["acme"][:-1]
        raise KeyError(name)


class House:
    """An API, the keys of those who ask it, and what a test can do to it."""

    def __init__(self, databases: Databases, settings: Settings, connection: psycopg.Connection, nowhere: Path) -> None:
        self.databases = databases
        self.settings = settings
        self.connection = connection
        self._nowhere = SecretStr(f"postgresql://fencepost@/fencepost?host={nowhere}")
        self._opened: list[Databases] = []
        self._broken = False
        self.api = create_api(databases, settings)
        self.keys = Keys(databases, connection)

    def authorization(self, names: tuple[str, ...]) -> list[str]:
        return [name.format_map(self.keys) for name in names]

    def ask(self, target: str, *names: str, **more: str) -> Answer:
        return ask(self.api, target, *self.authorization(names), **more)

    def lose_database(self) -> None:
        """Go on with an API whose database is down."""
        self._use(Settings(database_url=self._nowhere))

    def lose_source(self) -> None:
        """Go on with an API that can read its keys, and whose source is down."""
        self._use(self.settings.model_copy(update={"source_database_url": self._nowhere}))

    def break_source(self) -> None:
        """Give the jobs a column that no statement of ours can be meant for."""
        self.connection.execute("ALTER TABLE jobs RENAME COLUMN created_at TO instant")
        self.connection.execute("ALTER TABLE jobs ADD created_at text")
        self._broken = True

    def use_up_rate(self) -> None:
        for _ in range(60):
            assert self.ask(RECEIPT, "{acme}").status == 404

    def close(self) -> None:
        for databases in self._opened:
            databases.close()
        if self._broken:
            self.connection.execute("ALTER TABLE jobs DROP created_at")
            self.connection.execute("ALTER TABLE jobs RENAME COLUMN instant TO created_at")

    def _use(self, settings: Settings) -> None:
        self._opened.append(open_databases(settings))
        self.api = create_api(self._opened[-1], settings)


def _key_id(key: str) -> str:
    return key.split("_")[1]


def with_secret_of(other: str, key: str) -> str:
    """Give a key the secret of another, and a checksum that is right: CRC32 in base62."""
    prefix, key_id, _, _ = key.split("_")
    body = f"{prefix}_{key_id}_{other.split('_')[2]}"
    number = zlib.crc32(body.removeprefix("Bearer ").encode())
    return f"{body}_" + "".join(BASE62[number // 62**place % 62] for place in reversed(range(6)))


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests: none of them changes what another sees."""
    return emptied_url


@pytest.fixture
def house(databases: Databases, settings: Settings, connection: psycopg.Connection, tmp_path: Path) -> Iterator[House]:
    opened = House(databases, settings, connection, tmp_path)
    yield opened
    opened.close()


@dataclass(frozen=True)
class Case:
    """A request and the whole of its answer. `{retry_after}` in the message is the number of the header."""

    status: int
    error: str
    message: str
    target: str = EXPORT
    authorization: tuple[str, ...] = ("{acme}",)
    method: str = "GET"
    arrange: Callable[[House], None] = lambda house: None
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: range = range(0)


def not_found(target: str, method: str = "GET") -> Case:
    message = "There is nothing at this address: see /api/v1/openapi.json for what there is."
    return Case(404, "NOT_FOUND", message, target, (), method)


def not_allowed(method: str, target: str) -> Case:
    message = "This address answers GET only: use GET."
    headers = {"allow": "GET"}
    return Case(405, "METHOD_NOT_ALLOWED", message, target, (), method, House.lose_database, headers)


def unauthorized(
    *authorization: str, arrange: Callable[[House], None] = lambda house: None, target: str = EXPORT
) -> Case:
    message = "No valid API key was given: send one as `Authorization: Bearer <API key>`."
    headers = {"www-authenticate": "Bearer"}
    return Case(401, "UNAUTHORIZED", message, target, authorization, arrange=arrange, headers=headers)


def unavailable(arrange: Callable[[House], None], target: str = EXPORT, *authorization: str) -> Case:
    message = "The database cannot be asked at the moment: try again in 5 seconds."
    return Case(503, "UNAVAILABLE", message, target, authorization, arrange=arrange, retry_after=range(5, 6))


def forbidden(
    message: str, target: str, *authorization: str, arrange: Callable[[House], None] = lambda house: None
) -> Case:
    return Case(403, "FORBIDDEN", message, target, authorization, arrange=arrange)


def rate_limited(target: str = EXPORT) -> Case:
    message = "More than 60 requests in a minute: try again in {retry_after} seconds."
    return Case(429, "RATE_LIMITED", message, target, arrange=House.use_up_rate, retry_after=range(1, 61))


def invalid(query: str, message: str, arrange: Callable[[House], None] = lambda house: None) -> Case:
    return Case(400, "INVALID_REQUEST", message, f"/api/v1/jobs/export?{query}", arrange=arrange)


NO_SCOPE = "The scope job:read is missing: ask for it to be granted."
OTHER_CLIENT = "This key belongs to another client: leave client_id out or name your own."
NO_TIME = "is not a time like 2026-04-01T00:00:00Z (RFC 3339, with Z or an offset)."

TABLE = {
    # 1: the address and the method. None of them needs a key or a database.
    "api": not_found("/api"),
    "api slash": not_found("/api/"),
    "two slashes": not_found("/api//x"),
    "root": not_found("/"),
    "slash after export": not_found(f"/api/v1/jobs/export/?{APRIL}"),
    "slash after export, coded": not_found(f"/api/v1/jobs/export%2F?{APRIL}"),
    "null after export": not_found(f"/api/v1/jobs/export%00?{APRIL}"),
    "other case": not_found(f"/api/v1/jobs/Export?{APRIL}"),
    "other version": not_found("/api/v2/jobs/export"),
    "dots": not_found("/api/v1/../v1/jobs/export"),
    "below a receipt": not_found(f"{RECEIPT}/rows"),
    "health below api": not_found("/api/health"),
    "unknown path, other method": not_found("/api/v1/jobs", method="DELETE"),
    "HEAD": not_allowed("HEAD", EXPORT),
    "POST": not_allowed("POST", EXPORT),
    "PUT": not_allowed("PUT", EXPORT),
    "PATCH": not_allowed("PATCH", EXPORT),
    "DELETE": not_allowed("DELETE", EXPORT),
    "OPTIONS": not_allowed("OPTIONS", EXPORT),
    "lower case": not_allowed("get", EXPORT),
    "HEAD of a receipt": not_allowed("HEAD", RECEIPT),
    "POST to openapi.json": not_allowed("POST", "/api/v1/openapi.json"),
    "HEAD of health": not_allowed("HEAD", "/health"),
    # 2: the key.
    "no key": unauthorized(),
    "no key for a receipt": unauthorized(target=RECEIPT),
    "no key for no receipt": unauthorized(target="/api/v1/exports/"),
    "no value": unauthorized(""),
    "scheme alone": unauthorized("Bearer"),
    "scheme and space": unauthorized("Bearer "),
    "no scheme": unauthorized("fp_"),
    "other scheme": unauthorized("Basic YWNtZTpzZWNyZXQ="),
    "two headers": unauthorized("{acme}", "{acme}"),
    "two keys in one header": unauthorized("{acme}, {acme}"),
    "something after the key": unauthorized("{acme} x"),
    "malformed": unauthorized("{malformed}"),
    "not ASCII": unauthorized("Bearer fp_٠٠٠٠٠٠٠٠٠٠٠٠"),
    "very long": unauthorized("Bearer " + "x" * 60_000),
    "unknown": unauthorized("{unknown}"),
    "wrong secret": unauthorized("{wrong_secret}"),
    "expired": unauthorized("{expired}"),
    "revoked": unauthorized("{revoked}"),
    "wrong checksum costs no query": unauthorized("{wrong_checksum}", arrange=House.lose_database),
    "malformed costs no query": unauthorized("{malformed}", arrange=House.lose_database),
    "two headers cost no query": unauthorized("{acme}", "{acme}", arrange=House.lose_database),
    "no key costs no query": unauthorized(arrange=House.lose_database),
    # 3: the database, when the key is to be looked up.
    "database down": unavailable(House.lose_database, EXPORT, "{acme}"),
    "database down for an unknown key": unavailable(House.lose_database, EXPORT, "{unknown}"),
    "database down for a receipt": unavailable(House.lose_database, RECEIPT, "{acme}"),
    "database down for health": unavailable(House.lose_database, "/health"),
    "source down for health": unavailable(House.lose_source, "/health"),
    # 4: the scope.
    "no scope": forbidden(NO_SCOPE, EXPORT, "{scopeless}"),
    "other scope": forbidden(NO_SCOPE, EXPORT, "{admin_only}"),
    "no scope for a receipt": forbidden(NO_SCOPE, RECEIPT, "{scopeless}"),
    # 5: the rate.
    "rate": rate_limited(),
    "rate of receipts": rate_limited(RECEIPT),
    # 6: the parameters.
    "from missing": invalid("to=2026-05-01T00:00:00Z", "from is missing: give it as a time like 2026-04-01T00:00:00Z."),
    "to missing": invalid("from=2026-05-01T00:00:00Z", "to is missing: give it as a time like 2026-04-01T00:00:00Z."),
    "nothing given": invalid("", "from is missing: give it as a time like 2026-04-01T00:00:00Z."),
    "from is no time": invalid("from=yesterday&to=2026-05-01T00:00:00Z", f"from {NO_TIME}"),
    "to is no time": invalid("from=2026-05-01T00:00:00Z&to=2026-05-01", f"to {NO_TIME}"),
    "lost plus in from": invalid(
        "from=2026-04-01T00:00:00+02:00&to=2026-05-01T00:00:00Z", "from lost its + on the way: write + as %2B in a URL."
    ),
    "lost plus in to": invalid(
        "from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00+02:00", "to lost its + on the way: write + as %2B in a URL."
    ),
    "no such day": invalid(
        "from=2026-02-30T00:00:00Z&to=2026-05-01T00:00:00Z", "from names a time that does not exist: correct it."
    ),
    "reversed": invalid(
        "from=2026-05-01T00:00:00Z&to=2026-04-01T00:00:00Z",
        "from is after to: exchange them; from is inclusive and to is exclusive.",
    ),
    "too far apart": invalid(
        "from=2026-01-01T00:00:00Z&to=2027-01-02T00:00:00.000001Z",
        "from and to are more than 366 days apart: choose a shorter range.",
    ),
    "unknown parameter": invalid(
        f"{APRIL}&limit=1", f'"limit" is not a parameter of this export: remove it. Known are {KNOWN}.'
    ),
    "parameter without a name": invalid(
        f"{APRIL}&=1", f'"" is not a parameter of this export: remove it. Known are {KNOWN}.'
    ),
    "parameter of other case": invalid(
        f"{APRIL}&Type=x", f'"Type" is not a parameter of this export: remove it. Known are {KNOWN}.'
    ),
    "repeated": invalid(
        f"{APRIL}&type=a&type=a", "type is given more than once: give it once, with commas between values."
    ),
    "bound repeated": invalid(f"{APRIL}&to=2026-05-01T00:00:00Z", "to is given more than once: give it once."),
    "parameter empty": invalid(f"{APRIL}&type=", "type is empty: give it a value or leave it out."),
    "without a value": invalid(f"{APRIL}&type", "type is empty: give it a value or leave it out."),
    "empty item": invalid(f"{APRIL}&type=a,,b", "type has an empty item: remove the superfluous comma."),
    "null character": invalid(f"{APRIL}&q=a%00b", "q contains a character that no job can contain: remove it."),
    "status": invalid(
        f"{APRIL}&status=done", 'status does not know "done": it takes queued, processing, completed, failed.'
    ),
    "decision": invalid(f"{APRIL}&decision=maybe", 'decision does not know "maybe": it takes reject, pass, undecided.'),
    "category": invalid(
        f"{APRIL}&category=x", 'category does not know "x": it takes ai_adult_general, underage, nsfw, none.'
    ),
    "category none and another": invalid(
        f"{APRIL}&category=none,nsfw", "category takes none only alone: leave out none or the others."
    ),
    "cell": invalid(
        f"{APRIL}&category_underage=yes", 'category_underage does not know "yes": it takes true or false or empty.'
    ),
    "flagged": invalid(f"{APRIL}&flagged=yes", 'flagged does not know "yes": it takes true or false.'),
    "evaluated": invalid(f"{APRIL}&evaluated=1", 'evaluated does not know "1": it takes true or false.'),
    "q": invalid(f"{APRIL}&q={'x' * 501}", "q is longer than 500 characters: shorten it."),
    "job_id": invalid(
        f"{APRIL}&job_id=0b9f3c1e5",
        'job_id does not take "0b9f3c1e5": give the beginning of a UUID like 0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d.',
    ),
    "reason": invalid(f"{APRIL}&reason={'x' * 501}", "reason is longer than 500 characters: shorten it."),
    "reason_contains": invalid(
        f"{APRIL}&reason_contains={'x' * 501}", "reason_contains is longer than 500 characters: shorten it."
    ),
    "job ids": invalid(
        f"{APRIL}&job_id={','.join('0' * 101)}", "job_id has more than 100 items: ask for the rest separately."
    ),
    "api_key_id": invalid(f"{APRIL}&api_key_id=a,", "api_key_id has an empty item: remove the superfluous comma."),
    "spreadsheet_safe": invalid(
        f"{APRIL}&spreadsheet_safe=yes", 'spreadsheet_safe does not know "yes": it takes true or false.'
    ),
    "not UTF-8": invalid(f"{APRIL}&q=%FF", "q is not UTF-8: percent-encode it as UTF-8."),
    "101 parameters": invalid(
        "&".join(["q=x"] * 101),
        "There are more than 100 parameters: give each one once, with commas between values.",
    ),
    # 7: the client.
    "other client": forbidden(OTHER_CLIENT, f"{EXPORT}&client_id=other", "{acme}"),
    "client that is nobody's": forbidden(OTHER_CLIENT, f"{EXPORT}&client_id=nobody", "{acme}"),
    "client of other case": forbidden(OTHER_CLIENT, f"{EXPORT}&client_id=Acme", "{acme}"),
    # 9: ours.
    "source down": unavailable(House.lose_source, EXPORT, "{acme}"),
    "refused statement": Case(
        500,
        "INTERNAL_ERROR",
        "Something went wrong here: try again, and report it if it stays.",
        arrange=House.break_source,
    ),
    # A receipt that is not there, whoever asks.
    "no such receipt": Case(
        404,
        "NOT_FOUND",
        "There is nothing at this address: see /api/v1/openapi.json for what there is.",
        RECEIPT,
    ),
    # The order, where a request is wrong in two ways.
    "unknown path before the key": not_found("/api/v1/jobs"),
    "the key before the parameters": unauthorized("{unknown}", target="/api/v1/jobs/export?limit=1"),
    "the database before the parameters": unavailable(House.lose_database, "/api/v1/jobs/export?limit=1", "{acme}"),
    "the database before the scope": unavailable(House.lose_database, EXPORT, "{scopeless}"),
    "the scope before the rate": forbidden(NO_SCOPE, EXPORT, "{scopeless}", arrange=House.use_up_rate),
    "the scope before the parameters": forbidden(NO_SCOPE, "/api/v1/jobs/export?limit=1", "{scopeless}"),
    "the rate before the parameters": rate_limited("/api/v1/jobs/export?limit=1"),
    "the rate before the client": rate_limited(f"{EXPORT}&client_id=other"),
    "the parameters before the client": invalid(
        f"{APRIL}&client_id=other&type=", "type is empty: give it a value or leave it out."
    ),
    "the parameters before the source": invalid(
        f"{APRIL}&type=", "type is empty: give it a value or leave it out.", House.lose_source
    ),
    "the client before the source": forbidden(
        OTHER_CLIENT, f"{EXPORT}&client_id=other", "{acme}", arrange=House.lose_source
    ),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_error_is_answered_as_the_table_says(house: House, case: Case) -> None:
    """Each error has its status, its headers and a body of three keys, and no header or key besides."""
    case.arrange(house)

    answer = house.ask(case.target, *case.authorization, method=case.method)

    headers = dict(answer.headers)
    retry_after = headers.pop("retry-after", None)
    body = json.dumps(
        {
            "error": case.error,
            "message": case.message.format(retry_after=retry_after) if retry_after else case.message,
            "statusCode": case.status,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    assert answer.body == body
    assert answer.status == case.status
    assert headers == case.headers | {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert int(retry_after) in case.retry_after if retry_after else not case.retry_after


def test_every_unaccepted_key_gets_the_same_bytes(house: House) -> None:
    """Nobody learns from a 401 whether a key is malformed, unknown, wrong, expired or revoked."""
    cases = [case for case in TABLE.values() if case.status == 401 and case.arrange is not House.lose_database]

    answers = [house.ask(EXPORT, *case.authorization) for case in cases]

    assert answers == [answers[0]] * len(cases)


def test_too_many_exports_at_once_is_429_after_the_parameters_and_the_client(
    house: House, connection: psycopg.Connection
) -> None:
    """While two exports of a client run, its third is refused, but its faults are still named first."""
    insert_large_jobs(connection, 100, size=10_000)
    key = house.keys["acme"]

    async def third(target: str) -> Answer:
        return (await exchange(house.api, FakeReader(target, key))).answer

    async def three() -> list[Answer]:
        readers = [FakeReader(EXPORT, key, then=Then.STALL) for _ in range(2)]
        running = [asyncio.create_task(exchange(house.api, reader)) for reader in readers]
        for reader in readers:
            await reader.stalled.wait()
        answers = [await third(target) for target in (EXPORT, f"{EXPORT}&type=", f"{EXPORT}&client_id=other", RECEIPT)]
        for reader in readers:
            reader.leave()
        await asyncio.gather(*running)
        return answers

    answers = run(three())

    assert answers[0].status == 429
    assert json.loads(answers[0].body) == {
        "error": "RATE_LIMITED",
        "message": "2 exports of this client are running: wait until one has ended.",
        "statusCode": 429,
    }
    assert answers[0].headers["retry-after"] == "10"
    assert [answer.status for answer in answers] == [429, 400, 403, 404]


def test_refusal_leaves_no_receipt(house: House, connection: psycopg.Connection) -> None:
    """An export that is refused before it starts, or a HEAD, is no export."""
    for target, method in ((EXPORT, "HEAD"), (f"{EXPORT}&type=", "GET"), (f"{EXPORT}&client_id=other", "GET")):
        house.ask(target, "{acme}", method=method)
    house.ask(EXPORT, "{unknown}")
    house.ask(EXPORT, "{scopeless}")

    assert connection.execute("SELECT count(*) FROM exports").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arrange", "status"), [(House.break_source, 500), (House.lose_source, 503)], ids=["refused", "down"]
)
def test_export_that_fails_at_its_start_leaves_a_failed_receipt(
    house: House, connection: psycopg.Connection, arrange: Callable[[House], None], status: int
) -> None:
    """What fails before the first byte is an error, not half a file; its receipt says that we failed."""
    arrange(house)

    answer = house.ask(EXPORT, "{acme}")

    assert answer.status == status
    found = connection.execute("SELECT status, rows, bytes, sha256, finished_at IS NULL FROM exports").fetchall()
    assert found == [("failed", 0, 0, None, False)]


def test_log_of_an_internal_error_tells_its_class_alone(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The log never quotes a statement, a value or a key."""
    house.break_source()

    house.ask(f"{EXPORT}&q=harmless", "{acme}")

    assert caplog.messages == [
        "database error: UndefinedFunction 42883 in DATABASE_URL",
        "internal error: NotPossible",
    ]


def test_description_needs_no_database(house: House) -> None:
    """The description of the API is to be had without a key, and while the database is down."""
    house.lose_database()

    assert house.ask("/api/v1/openapi.json").status == 200
