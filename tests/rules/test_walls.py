"""Clients are walls: nothing leads a client's key, or a person who sees some clients, to another's job or export."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from api.openapi import DOCUMENT
from api.routes import Api
from core.actor import COMMAND_LINE, STAFF_SCOPES, Actor, Scope
from core.auth.rights import Holder, Kind, Rights, give_rights
from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.counts.fact_upkeep import keep_facts
from core.csv.format import BOM
from core.db.databases import Databases
from core.export.job_columns import HEADER
from core.export.receipts import Via, open_receipt
from core.export.review_columns import HEADER as REVIEW_HEADER
from core.jobs.filter import PARAMETERS
from core.jobs.strata import Stratification
from core.jobs.wall import Wall
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Verdict
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.core.quality.test_answers import judge
from tests.support.asgi import APRIL, EXPORT, Answer, FakeReader, ask, create_api, exchange, make_key
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log
from tests.support.said import list_said

OURS, THEIRS = "acme", "other"
SECRET = "what only the other client may read"
THEIR_JOB = UUID("0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d")
OUR_JOB = UUID("0b9f3c1e-5a7d-4e0b-9c55-ffffffffffff")

# What somebody would try as the name of another client, whatever the parameter is called; and where it is one.
CLIENTS = (THEIRS, f"{OURS},{THEIRS}", "other' OR '1'='1", f"{OURS}' OR client_id='{THEIRS}")
SPELLINGS = (
    *(f" {THEIRS}", f"{THEIRS} ", f"{THEIRS},{OURS}", "Other", "*", "%", "_", "null", "all", "other'--"),
    "' UNION SELECT * FROM jobs--",
)
# Names that no parameter has, and nearly so.
OTHER_NAMES = tuple(f"{name}={THEIRS}" for name in ("client", "client_id%00", "Client_Id", "client_id[]"))
TEXTS = (SECRET, "what only", "%", "_", "\\", str(THEIR_JOB), str(THEIR_JOB)[:8], "true", "false", "1", "0b9f3c1e")

# Whatever of them a proxy might believe, it would as well beside the others, which all say the same.
NAMES = (
    *("host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-user", "x-forwarded-client", "forwarded"),
    *("x-forwarded-prefix", "x-forwarded-proto", "x-real-ip", "x-client-id", "client-id", "x-tenant-id"),
    *("x-user", "remote-user", "x-remote-user", "x-api-key", "x-auth-request-user", "x-original-user"),
    *("cookie", "from", "origin", "referer", "x-http-method-override", "x-original-url", "x-rewrite-url"),
    *("proxy-authorization", "x-authorization", "x-scope", "x-wall"),
)
TOGETHER = [[(name, value) for name in NAMES] for value in (THEIRS, "127.0.0.1", "admin", "true")]
HEADERS = [(name, THEIRS) for name in NAMES] + [
    ("x-original-url", f"/api/v1/jobs/export?client_id={THEIRS}"),
    ("x-rewrite-url", f"/api/v1/jobs/export?client_id={THEIRS}"),
    ("cookie", f"client_id={THEIRS}; fencepost_browser=x"),
    ("forwarded", f"for={THEIRS};host={THEIRS};by={THEIRS}"),
    ("range", "bytes=0-"),
    ("range", "bytes=-1000000"),
    ("if-range", '"x"'),
    ("if-none-match", "*"),
    ("prefer", "count=exact"),
    ("prefer", f"count=exact, client={THEIRS}"),
    ("prefer", f"client_id={THEIRS}; return=representation"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("x-http-method-override", "HEAD"),
]


@pytest.fixture
def api(databases: Databases, settings: Settings, connection: psycopg.Connection) -> Api:
    """An API before a job of ours and a job of theirs that is alike in everything a filter can ask for."""
    for job_id, client, prompt in ((OUR_JOB, OURS, "ours"), (THEIR_JOB, THEIRS, SECRET)):
        insert_job(connection, job_id=job_id, client_id=client, prompt=prompt, reason=prompt)
        insert_log(connection, job_id, category_nsfw=True)
    return create_api(databases, settings, fencepost_requests_per_minute=100_000)


@pytest.fixture
def key(databases: Databases) -> str:
    return make_key(databases, OURS, scopes=frozenset({Scope.JOB_READ, Scope.REVIEW_READ}))


def parameters(path: str, place: str) -> list[dict[str, Any]]:
    return [each for each in DOCUMENT["paths"][path]["get"].get("parameters", []) if each["in"] == place]


def values(parameter: dict[str, Any]) -> Iterator[str]:
    """Yield every value that the description names, and everything that could mean another client or its job."""
    schema = parameter["schema"]
    listed = [*schema.get("enum", []), *schema.get("items", {}).get("enum", [])]
    yield from listed
    if len(listed) > 1:
        yield ",".join(listed)
    yield from (*CLIENTS, *(SPELLINGS if parameter["name"] == "client_id" else ()), *TEXTS)


def ask_all(api: Api, requests: Iterable[tuple[str, list[str], list[tuple[str, str]]]]) -> list[Answer]:
    """Ask one after the other, in one loop."""

    async def asking() -> list[Answer]:
        return [
            (await exchange(api, FakeReader(target, *authorization, headers=headers))).answer
            for target, authorization, headers in requests
        ]

    async def limited() -> list[Answer]:
        return await asyncio.wait_for(asking(), 300)

    return asyncio.run(limited())


def assert_nothing_of_theirs(answers: list[Answer]) -> None:
    """An export holds our job or, where a filter excludes it, none; what is no export repeats at most the question."""
    for answer in answers:
        assert answer.headers.get("x-total-count") in (None, "0", "1")
        if answer.status == 200:
            assert answer.body.startswith((BOM + HEADER, BOM + REVIEW_HEADER))
            assert answer.body.count(b"\n") <= 2
            assert SECRET.encode() not in answer.body
            assert str(THEIR_JOB).encode() not in answer.body


def test_the_description_names_every_parameter() -> None:
    """What the tests below try is all that there is: the description and the parser know the same parameters."""
    assert [each["name"] for each in parameters("/api/v1/jobs/export", "query")] == list(PARAMETERS)
    assert {place["in"] for path in DOCUMENT["paths"].values() for place in path["get"].get("parameters", [])} == {
        *("query", "header", "path")
    }


def test_there_is_something_to_be_kept_from(api: Api, databases: Databases) -> None:
    """A staff key reaches what the tests below must not, by the same requests."""
    staff = make_key(databases, None)

    answers = [ask(api, f"{EXPORT}&{query}", staff) for query in (f"client_id={THEIRS}", "q=what%20only", "job_id=0b9")]

    assert [SECRET.encode() in answer.body for answer in answers] == [True] * 3


BASE = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path.endswith("export")])
@pytest.mark.usefixtures("api")
def test_no_parameter_opens_a_wall(databases: Databases, settings: Settings, key: str, path: str) -> None:
    """Every parameter of an export, with every value that it names and many that it does not, alone and twice."""
    # Hundreds of exports need no second connection each; where headers are tried they have it.
    api = create_api(databases, settings, fencepost_requests_per_minute=100_000, fencepost_export_workers=1)
    queries = [*OTHER_NAMES]
    for parameter in parameters("/api/v1/jobs/export", "query"):
        name = parameter["name"]
        queries.extend(urlencode(BASE | {name: value}, quote_via=quote) for value in values(parameter))
        # The last, the first or the joined value could count elsewhere.
        queries.append(urlencode([*BASE.items(), (name, OURS), (name, THEIRS)]))
        queries.append(urlencode([*BASE.items(), ("client_id", OURS), ("client_id", THEIRS), (name, "x")]))

    answers = ask_all(api, [(f"{path}?{query}", [key], []) for query in queries])

    assert_nothing_of_theirs(answers)
    assert {answer.status for answer in answers} - {200} == {400, 403}


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if not path.endswith("export")])
def test_no_parameter_is_read_where_there_is_none(api: Api, key: str, path: str) -> None:
    """The parameters of an export change nothing on other routes: each alone and twice, and all of them together.

    Together they have every value there is: what no parameter may do alone, it may do beside the others as little.
    """
    named = parameters("/api/v1/jobs/export", "query")
    queries = [*OTHER_NAMES]
    for name in (parameter["name"] for parameter in named):
        queries.append(urlencode({name: THEIRS}))
        queries.append(urlencode([(name, OURS), (name, THEIRS)]))
        queries.append(urlencode([("client_id", OURS), ("client_id", THEIRS), (name, "x")]))
    names = [parameter["name"] for parameter in named]
    queries.extend(
        urlencode(list(zip(names, each, strict=True)), quote_via=quote)
        for each in zip_longest(*map(values, named), fillvalue=THEIRS)
    )
    target = path.replace("{export_id}", str(THEIR_JOB)).replace("{job_id}", str(THEIR_JOB))

    answers = ask_all(api, [(f"{target}?{query}", [key], []) for query in queries])

    assert len({(answer.status, answer.body) for answer in answers}) == 1
    assert SECRET.encode() not in answers[0].body


def test_no_header_opens_a_wall(api: Api, key: str) -> None:
    """Whatever stands in a header, be it of a proxy or of this API: the answer is that of our own export."""
    named = [(each["name"].lower(), value) for each in parameters("/api/v1/jobs/export", "header") for value in CLIENTS]

    answers = ask_all(api, [(EXPORT, [key], given) for given in [*TOGETHER, *([header] for header in HEADERS + named)]])

    assert_nothing_of_theirs(answers)
    assert {(answer.status, answer.body.count(b"\n")) for answer in answers} == {(200, 2)}


def test_no_second_way_to_present_a_key_opens_a_wall(api: Api, databases: Databases, key: str) -> None:
    """A key counts in one Authorization header alone; with another's beside it, or in another place, it is refused."""
    theirs = make_key(databases, THEIRS)
    bare = theirs.removeprefix("Bearer ")
    both = [[key, theirs], [theirs, key], [f"{key}, {theirs}"], [f"{key} {bare}"], [f"{key},{bare}"], [f"Basic {bare}"]]
    elsewhere = [
        *(f"{EXPORT}&{name}={bare}" for name in ("access_token", "token", "api_key", "key", "authorization")),
        f"/api/v1/jobs/export?{APRIL}#{bare}",
    ]

    refused = ask_all(api, [(EXPORT, authorization, []) for authorization in both])
    unread = ask_all(api, [(target, [], []) for target in elsewhere])
    beside = ask_all(
        api, [(EXPORT, [key], [(name, theirs)]) for name in ("x-authorization", "proxy-authorization", "x-api-key")]
    )

    assert {answer.status for answer in refused + unread} == {401}
    assert_nothing_of_theirs(beside)
    assert [answer.status for answer in beside] == [200] * 3


def test_no_receipt_of_theirs_is_ours(api: Api, databases: Databases, key: str) -> None:
    """However the id of their export is written, there is nothing at that address; nor of a staff export."""
    theirs = ask(api, EXPORT, make_key(databases, THEIRS)).headers["x-export-id"]
    of_staff = ask(api, EXPORT, make_key(databases, None)).headers["x-export-id"]
    about_them = ask(api, f"{EXPORT}&client_id={THEIRS}", make_key(databases, None)).headers["x-export-id"]
    spellings = [
        spelling
        for each in (theirs, of_staff, about_them)
        for spelling in (
            *(each, each.upper(), each.replace("-", ""), f"{{{each}}}", f"urn:uuid:{each}", quote(f"{each}/")),
            *(
                f"{each}?client_id={THEIRS}",
                f"{each}?export_id={each}",
                f"{each};x",
                f"{each}%20",
                f"../exports/{each}",
            ),
        )
    ]

    answers = ask_all(api, [(f"/api/v1/exports/{spelling}", [key], []) for spelling in spellings])
    headers = [*TOGETHER, *([header] for header in HEADERS)]
    own = ask_all(api, [(f"/api/v1/exports/{each}", [key], given) for each in (theirs, of_staff) for given in headers])

    assert {(answer.status, answer.body) for answer in answers + own} == {(404, answers[0].body)}


# What the other client's name, jobs and texts would show by, wherever on a page; and pages that lead to them.
NEIGHBOUR = "neighbour"
MARKS = (NEIGHBOUR, SECRET, str(THEIR_JOB), "a reason of theirs", "their sample")
EXPORT_ID = UUID(int=8)
WHEN = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}
ADDRESSES: tuple[tuple[str, dict[str, str]], ...] = (
    ("jobs", WHEN),
    ("jobs", WHEN | {"q": "what only"}),
    ("jobs", WHEN | {"job": str(THEIR_JOB)}),
    ("categories", WHEN),
    ("reviews", WHEN | {"queue": "second"}),
    ("reviews", WHEN | {"job": str(THEIR_JOB)}),
    ("quality", {}),
    ("quality", {"sample": "their sample"}),
    ("quality", {"sample": "their sample", "judge": "true", "job": str(THEIR_JOB)}),
    ("exports", {}),
    ("exports", {"export": str(EXPORT_ID)}),
)


@pytest.fixture
def stocked(databases: Databases, connection: psycopg.Connection) -> UUID:
    """Jobs of ours and of theirs, and beside theirs a verdict, a sample (the id of it), and somebody else's export."""
    for number in range(3):
        insert_job(connection, client_id=OURS, prompt=f"ours {number}", is_prohibited=True)
    for number in range(6):
        job_id = THEIR_JOB if number == 0 else uuid4()
        insert_job(
            connection,
            job_id=job_id,
            client_id=NEIGHBOUR,
            prompt=f"{SECRET} {number}",
            reason="a reason of theirs",
            is_prohibited=True,
        )
        insert_log(connection, job_id)
    keep_facts(databases.ours)
    actor = Actor("user:other", Wall(None), STAFF_SCOPES, "other@ex.org")
    judge(databases, actor, THEIR_JOB, Verdict.OVERTURN, note=SECRET)
    judging = Plan("their sample", 6, by=(Stratification.DECISION, Stratification.CLIENT, Stratification.REASON))
    drawn = draw_sample(databases, actor, april(client_id=NEIGHBOUR), judging)
    open_receipt(databases, actor, EXPORT_ID, april(client_id=NEIGHBOUR), via=Via.DASHBOARD)
    return drawn


def list_page_texts(databases: Databases, settings: Settings, rights: Rights, sample: UUID) -> list[list[str]]:
    """Return what each page of ADDRESSES sends to somebody who was given rights, with prompts switched on."""
    give_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "a@ex.org"), rights)
    door = Door(databases, settings, ("company",))
    claims = {"iss": "https://id.ex.org", "sub": "a", "email": "a@ex.org", "email_verified": True, "iat": time.time()}
    session = uuid4().hex * 2
    door.sign_in(session, claims, "company")
    provide(Resources(databases, settings, TicketOffice("x" * 43), door, ("company",)))
    meant = {"their sample": str(sample)}
    pages = _new_app(session, "jobs").run()._registered_pages
    return [
        _texts_of(session, pages, page, {name: meant.get(value, value) for name, value in params.items()})
        for page, params in ADDRESSES
    ]


def _new_app(session: str, page: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=60)
    app.user = {"is_logged_in": True, "session": session}
    app.context = {"url": f"http://localhost:3051/{page}", "timezone": "Europe/Berlin"}
    return app


def _texts_of(session: str, pages: Any, page: str, params: dict[str, str]) -> list[str]:
    app = _new_app(session, page)
    # Which pages this person has, an app knows by running once.
    app._registered_pages = dict(pages)
    try:
        app.switch_page(f"{page}/page.py")
    except ValueError:
        # There is no such page for them.
        return []
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    if page == "jobs":
        app.toggle(key="show_prompts").set_value(True).run()
    assert not app.exception
    said = [text for place, text in list_said(app) if place not in ECHOED]
    return [text.replace(params.get("q", "\0"), "").replace(params.get("job", "\0"), "") for text in said]


# Signed, for a person and not for a reader.
ECHOED = ("LinkButton.url", "Button.id")


def test_no_page_opens_a_wall_to_people(
    databases: Databases,
    settings: Settings,
    stocked: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever sees one client or two meets nothing of another on any page, by no link and in no offer."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.1")
    everything = list_page_texts(databases, settings, Rights(STAFF_SCOPES, None), stocked)

    to_one = list_page_texts(databases, settings, Rights(STAFF_SCOPES, frozenset({OURS})), stocked)
    to_two = list_page_texts(databases, settings, Rights(STAFF_SCOPES, frozenset({OURS, "third"})), stocked)

    def marked(texts: list[str]) -> bool:
        return any(mark in text for mark in MARKS for text in texts)

    # There is something to be kept from, but for exports, which are one's own to everybody but admins.
    own = [page == "exports" for page, _ in ADDRESSES]
    assert [marked(texts) for texts in everything] == [not is_own for is_own in own]
    for narrowed in (to_one, to_two):
        assert [address for address, texts in zip(ADDRESSES, narrowed, strict=True) if marked(texts)] == []
        assert any("ours 1" in text for text in narrowed[0])


def test_no_page_tells_a_text_that_is_withheld(
    databases: Databases,
    settings: Settings,
    connection: psycopg.Connection,
    stocked: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the right to withheld texts neither a switch nor a reveal nor a search tells one; the job is there."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.1")
    connection.execute("UPDATE moderation_logs SET category_underage = true")
    connection.execute("UPDATE reviews SET note = null")
    keep_facts(databases.ours)

    rights = Rights(STAFF_SCOPES - {Scope.JOB_REVEAL, Scope.JOB_EXPORT}, None)
    withheld = list_page_texts(databases, settings, rights, stocked)

    assert [text for texts in withheld for text in texts if SECRET in text] == []
    assert any("which you may not see" in text for text in withheld[0])
    # Found by no search, and shown without its text.
    assert any(text.startswith("No jobs match") for text in withheld[1])
    assert any("which you may not see" in text for text in withheld[2])
    assert not any("Reveal" in text for text in withheld[2])
