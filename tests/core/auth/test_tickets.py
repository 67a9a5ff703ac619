"""Tickets: who may download what, in which browser, and for how long."""

import hashlib
import time
from uuid import UUID

import pytest
from hypothesis import given
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from core.audit.filter import AuditFilter
from core.auth.tickets import LIFETIME, Download, Ticket, TicketOffice
from core.jobs.filter import JobFilter
from tests.support.documents import april
from tests.support.strategies import params

OFFICE = TicketOffice("a secret of the server")
FILTER = april(q="É, =1", category="nsfw")
TICKET = Ticket(Download.JOBS, "user:ada@example.com", FILTER)


def issue(ticket: Ticket = TICKET, browser: str = "cookie") -> str:
    return OFFICE.issue(ticket, browser=browser)


@given(params())
def test_a_ticket_brings_back_who_and_what(given_params: dict[str, str]) -> None:
    """A ticket that is accepted is the one that was issued, whatever the filter."""
    ticket = Ticket(Download.JOBS, "user:ada@example.com", JobFilter.from_params(given_params.items()))

    assert OFFICE.accept(issue(ticket), Download.JOBS, browser="cookie") == ticket


def test_a_ticket_fits_into_an_address() -> None:
    """A ticket needs no escaping in a URL, and shows neither the cookie nor its secret."""
    text = issue()

    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert "cookie" not in text


@pytest.mark.parametrize("browser", ["", "Cookie", "cookie ", "another"])
def test_a_ticket_of_another_browser_is_refused(browser: str) -> None:
    """A ticket is worth nothing without the cookie of the browser that it was issued to."""
    assert OFFICE.accept(issue(), Download.JOBS, browser=browser) is None


def test_processes_with_one_secret_accept_each_others_tickets() -> None:
    """Any process with the same secret accepts a ticket, and none with another."""
    text = issue()

    assert TicketOffice("a secret of the server").accept(text, Download.JOBS, browser="cookie") == TICKET
    assert TicketOffice("another secret").accept(text, Download.JOBS, browser="cookie") is None


def test_every_changed_ticket_is_refused() -> None:
    """A character that is changed, left out or put in spoils a ticket, wherever it stands."""
    text = issue()
    others = ("A", "B", "a", "b", "Y", "Z", "0", "-", "_", "+", "/", "=", ".", " ", "\n", "é", "\0")

    accepted = [
        changed
        for place in range(len(text) + 1)
        for middle in (*others, "")
        for rest in (text[place:], text[place + 1 :])
        if (changed := text[:place] + middle + rest) != text and OFFICE.accept(changed, Download.JOBS, browser="cookie")
    ]

    assert accepted == []
    assert OFFICE.accept(text, Download.JOBS, browser="cookie") == TICKET


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\0", "É", "ä.ö.ü", "=" * 50, "x" * 100_000])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    """Nonsense is refused, not an error."""
    assert OFFICE.accept(text, Download.JOBS, browser="cookie") is None


SHA_256 = {"digest_method": hashlib.sha256}


class Clock(TimestampSigner):
    """Signs as of another time: so many seconds ago."""

    seconds_ago = 0

    def get_timestamp(self) -> int:
        return int(time.time()) - self.seconds_ago


@pytest.mark.parametrize(("seconds_ago", "accepted"), [(0, True), (LIFETIME - 30, True), (LIFETIME + 2, False)])
def test_a_ticket_is_good_for_two_minutes(seconds_ago: int, accepted: bool) -> None:
    """A ticket that is older than two minutes is refused."""
    signer = type("Aged", (Clock,), {"seconds_ago": seconds_ago})
    aged = URLSafeTimedSerializer(
        "a secret of the server", salt="fencepost download", signer=signer, signer_kwargs=SHA_256
    )
    text = str(aged.dumps(aged.loads(issue())))

    found = OFFICE.accept(text, Download.JOBS, browser="cookie")

    assert LIFETIME == 120
    assert found == (TICKET if accepted else None)


def test_a_ticket_for_something_else_is_refused() -> None:
    """What the same secret signs for another purpose is no ticket."""
    signed = URLSafeTimedSerializer("a secret of the server", salt="sign-in").dumps(["user:ada@example.com", {}, ""])

    assert OFFICE.accept(str(signed), Download.JOBS, browser="cookie") is None


@pytest.mark.parametrize("made_for", Download)
def test_a_ticket_opens_one_download(made_for: Download) -> None:
    """A ticket for one download is none for any other, and who it was made for is known all the same."""
    others: dict[Download, AuditFilter | UUID] = {Download.AUDIT: AuditFilter(who="ada"), Download.SAMPLE: UUID(int=7)}
    ticket = Ticket(made_for, "user:ada@example.com", others.get(made_for, FILTER), "a session")
    text = issue(ticket)

    accepted = {download: OFFICE.accept(text, download, browser="cookie") for download in Download}

    assert accepted == dict.fromkeys(Download, None) | {made_for: ticket}
    assert OFFICE.find_person(text) == "user:ada@example.com"


def test_tickets_outlive_the_rotation_of_their_key() -> None:
    """What a former key signed is accepted while it is in the list, and no longer; new tickets are the newest key's."""
    former, both, newest = TicketOffice(b"old"), TicketOffice(b"new", b"old"), TicketOffice(b"new")
    old, new = (office.issue(TICKET, browser="b") for office in (former, both))

    assert both.accept(old, Download.JOBS, browser="b") == TICKET
    assert newest.accept(old, Download.JOBS, browser="b") is None
    assert newest.accept(new, Download.JOBS, browser="b") == TICKET
    assert former.accept(new, Download.JOBS, browser="b") is None


def test_tickets_are_signed_with_sha_256() -> None:
    """A signature has 256 bits, and one of the same key with SHA-1 is none."""
    content = [TICKET.person, TICKET.session, FILTER.to_params(), hashlib.sha256(b"cookie").hexdigest()]
    weak, strong = (
        URLSafeTimedSerializer("a secret of the server", salt="fencepost download", signer_kwargs=kwargs).dumps(content)
        for kwargs in ({}, SHA_256)
    )

    assert len(issue().rpartition(".")[2]) == 43
    assert OFFICE.accept(strong, Download.JOBS, browser="cookie") == TICKET
    assert OFFICE.accept(weak, Download.JOBS, browser="cookie") is None
