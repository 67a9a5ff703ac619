"""The download route: whose ticket, in which browser, until when."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from api.downloads import Downloads
from api.services import create_services
from core.actor import DEMO_PERSON, Actor, Scope
from core.audit.filter import AuditFilter
from core.auth.tickets import (
    AUDIT_PATH,
    BROWSER_COOKIE,
    DOWNLOAD_PATH,
    LIFETIME,
    REPORT_PATH,
    REVIEWS_PATH,
    SAMPLE_PATH,
    Download,
    Ticket,
    TicketOffice,
)
from core.db.databases import Databases
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.wall import Wall
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Verdict
from core.settings import Settings
from tests.core.quality.test_answers import judge
from tests.support.asgi import FakeReader, Then, exchange, run
from tests.support.documents import HEADER
from tests.support.rows import insert_job, insert_large_jobs

APRIL = JobFilter(range=DateRange(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)))
OFFICE = TicketOffice("a secret of this test")


class Door:
    """The downloads of a person who may lose the right to them."""

    def __init__(self, databases: Databases, settings: Settings) -> None:
        self.person: Actor | None = DEMO_PERSON
        services = create_services(databases, settings)
        self.app = Downloads(services, OFFICE, lambda name, _: self.person if name == DEMO_PERSON.name else None)

    def get(
        self, query: str, *, browser: str | None = "browser-1", method: str = "GET", path: str = DOWNLOAD_PATH
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask for a path; return status, headers and body."""
        cookie = [] if browser is None else [(b"cookie", f"{BROWSER_COOKIE}={browser}".encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *cookie],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        async def ask() -> None:
            await self.app(scope, receive, send)

        asyncio.run(ask())
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])


@pytest.fixture
def door(databases: Databases, settings: Settings) -> Door:
    return Door(databases, settings)


def ticket(person: str = DEMO_PERSON.name, browser: str = "browser-1") -> str:
    return urlencode({"ticket": OFFICE.issue(Ticket(Download.JOBS, person, APRIL), browser=browser)})


def test_a_ticket_gives_the_file_and_leaves_a_receipt(door: Door, connection: psycopg.Connection) -> None:
    """The person of the ticket gets the export, and the receipt names person and door."""
    insert_job(connection, prompt="a, b")

    status, headers, body = door.get(ticket())

    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="jobs_2026-04-01_2026-05-01.csv"'
    assert body.startswith(HEADER)
    assert body.endswith(b',"a, b",,,,\n')
    assert connection.execute("SELECT requested_by, via, status, rows FROM exports").fetchall() == [
        ("user:demo", "dashboard", "complete", 1)
    ]


@pytest.mark.parametrize("browser", ["browser-2", "", None])
def test_a_ticket_of_another_browser_is_refused(
    door: Door, connection: psycopg.Connection, browser: str | None
) -> None:
    """A link that was sent to somebody else opens a small page, and no export was started."""
    status, headers, body = door.get(ticket(), browser=browser)

    assert status == 403
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"go back to the page and click again" in body
    assert connection.execute("SELECT count(*) FROM exports").fetchone() == (0,)


def test_every_changed_byte_makes_a_ticket_worthless(door: Door) -> None:
    """A ticket is accepted as it was signed, or not at all."""
    query = ticket()

    for place in range(len("ticket="), len(query)):
        letter = chr(ord(query[place]) + 1) if query[place].isalpha() and query[place] not in "Zz" else "A"
        assert door.get(query[:place] + letter + query[place + 1 :])[0] == 403


def test_a_ticket_ends_after_two_minutes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that lay about is worthless."""
    query = ticket()
    now = time.time()

    monkeypatch.setattr(time, "time", lambda: now + LIFETIME - 1)
    in_time = door.get(query)[0]
    monkeypatch.setattr(time, "time", lambda: now + LIFETIME + 2)
    too_late = door.get(query)[0]

    assert (in_time, too_late) == (200, 403)


def test_a_person_who_lost_the_right_is_refused(door: Door) -> None:
    """The person is looked up when the link is followed, not when it was made."""
    query = ticket()

    door.person = None

    assert door.get(query)[0] == 403
    assert door.get(ticket("user:somebody"))[0] == 403


@pytest.mark.parametrize("query", ["", "ticket=", "ticket=x&ticket=y", "from=2026-04-01T00:00:00Z", "ticket=x&q=y"])
def test_anything_but_one_ticket_is_refused(door: Door, query: str) -> None:
    """The route takes a ticket and nothing else."""
    assert door.get(query)[0] == 403


def test_other_methods_and_paths_get_a_page(door: Door) -> None:
    """HEAD costs nothing, and what is not there says so in a page."""
    head = door.get(ticket(), method="HEAD")
    other = door.get("", path="/downloads/other.csv")

    assert (head[0], head[1]["allow"]) == (405, "GET")
    assert other[0] == 404
    assert b"<h1>There is nothing here</h1>" in other[2]


def test_a_person_counts_as_a_client_of_their_own(databases: Databases, settings: Settings) -> None:
    """Beyond the requests of a minute a person gets a page that says when to try again."""
    door = Door(databases, settings.model_copy(update={"fencepost_requests_per_minute": 2}))

    statuses = [door.get(ticket())[0] for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert "retry-after" in door.get(ticket())[1]


# What is left of a person, of whose rights something was taken.
LEFT = {
    "signed out": None,
    "admin": replace(DEMO_PERSON, scopes=frozenset({Scope.ADMIN_CONFIG})),
    "no export": replace(DEMO_PERSON, scopes=frozenset({Scope.JOB_READ})),
    "some clients": replace(DEMO_PERSON, wall=Wall("acme", "other")),
    "withheld texts": replace(DEMO_PERSON, wall=Wall(None, withheld=[Category.UNDERAGE])),
}


def test_a_download_ends_with_the_right_to_it(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Who signs out, or loses the right, a client or some texts meanwhile gets no more of it; the receipt tells."""
    insert_large_jobs(connection, 600, size=20_000)
    people: dict[str, Actor | None] = {name: replace(DEMO_PERSON, name=name) for name in LEFT}
    services = create_services(databases, settings.model_copy(update={"fencepost_exports_total": len(LEFT)}))
    app = Downloads(services, OFFICE, lambda name, _: people[name])
    cookie = ("cookie", f"{BROWSER_COOKIE}=browser-1")
    readers = {
        name: FakeReader(f"{DOWNLOAD_PATH}?{ticket(name)}", headers=[cookie], reads=200_000, then=Then.STALL)
        for name in LEFT
    }

    async def download() -> None:
        requests = [asyncio.create_task(exchange(app, reader)) for reader in readers.values()]
        for reader in readers.values():
            await reader.stalled.wait()
        people.update(LEFT)
        await asyncio.gather(*requests)

    run(download())

    answers = {name: (reader.answer.status, reader.answer.complete) for name, reader in readers.items()}
    assert answers == dict.fromkeys(LEFT, (200, False))
    assert connection.execute("SELECT requested_by, status FROM exports ORDER BY 1").fetchall() == [
        (name, "failed") for name in sorted(LEFT)
    ]


def test_several_clients_are_named_in_the_receipt(door: Door, connection: psycopg.Connection) -> None:
    """Whoever sees two clients gets the jobs of both, and the receipt says which; nobody else's are there."""
    for client in ("a", "b", "c"):
        insert_job(connection, client_id=client, prompt=f"<{client}>")
    door.person = replace(DEMO_PERSON, wall=Wall("b", "a"))

    status, _, body = door.get(ticket())

    assert (status, [client for client in "abc" if f"<{client}>".encode() in body]) == (200, ["a", "b"])
    assert connection.execute("SELECT client_id, clients, rows FROM exports").fetchall() == [(None, ["a", "b"], 2)]


def test_whoever_some_texts_are_withheld_from_gets_no_file(door: Door, connection: psycopg.Connection) -> None:
    """An export holds all texts or is none: a sentence says so, and nothing was started."""
    door.person = replace(DEMO_PERSON, wall=Wall(None, withheld=[Category.UNDERAGE]))

    status, _, body = door.get(ticket())

    assert status == 403
    assert b"some are withheld from you" in body
    assert connection.execute("SELECT count(*) FROM exports").fetchone() == (0,)


@pytest.mark.parametrize(("rows", "status"), [(1, 403), (2, 200)])
def test_a_large_download_wants_a_fresh_sign_in(
    databases: Databases, settings: Settings, connection: psycopg.Connection, rows: int, status: int
) -> None:
    """Whoever signed in long ago gets so many rows and no more, and the audit has the refusal."""
    for _ in range(2):
        insert_job(connection)
    door = Door(databases, settings.model_copy(update={"fencepost_step_up_rows": rows}))
    door.person = replace(DEMO_PERSON, is_fresh=False)

    answer, _, body = door.get(ticket())

    assert answer == status
    assert (b"sign in again on the page that offers it" in body) == (status == 403)
    refused = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'export-refused'").fetchone()
    assert refused == (int(status == 403),)


def test_the_audit_wants_a_fresh_sign_in(door: Door) -> None:
    """Its file is refused to whoever signed in long ago, and given to whoever did it lately."""
    query = urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.AUDIT, DEMO_PERSON.name, AuditFilter()), browser="browser-1")}
    )

    door.person = replace(DEMO_PERSON, is_fresh=False)
    long_ago = door.get(query, path=AUDIT_PATH)[0]
    door.person = DEMO_PERSON
    lately = door.get(query, path=AUDIT_PATH)[0]

    assert (long_ago, lately) == (403, 200)


@pytest.mark.parametrize(("rows", "status"), [(1, 403), (2, 200)])
def test_large_files_of_verdicts_and_samples_want_a_fresh_sign_in(
    databases: Databases, settings: Settings, connection: psycopg.Connection, rows: int, status: int
) -> None:
    """They do as exports of jobs do; the report of a sample holds no rows, and never does."""
    for _ in range(2):
        judge(databases, DEMO_PERSON, insert_job(connection, is_prohibited=True), Verdict.AGREE)
    sample_id = draw_sample(databases, DEMO_PERSON, APRIL, Plan("a", 2))
    door = Door(databases, settings.model_copy(update={"fencepost_step_up_rows": rows}))
    door.person = replace(DEMO_PERSON, is_fresh=False)

    def ask(path: str, wanted: Ticket) -> int:
        return door.get(urlencode({"ticket": OFFICE.issue(wanted, browser="browser-1")}), path=path)[0]

    assert ask(REVIEWS_PATH, Ticket(Download.REVIEWS, DEMO_PERSON.name, APRIL)) == status
    assert ask(SAMPLE_PATH, Ticket(Download.SAMPLE, DEMO_PERSON.name, sample_id)) == status
    assert ask(REPORT_PATH, Ticket(Download.SAMPLE, DEMO_PERSON.name, sample_id)) == 200
