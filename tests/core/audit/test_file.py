"""The audit as a file and as a list: which events, in which order, and how they are written."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from core.actor import DEMO_PERSON, Actor, Scope
from core.audit.events import Event, record
from core.audit.filter import AuditFilter
from core.audit.pages import page_events
from core.auth.tickets import AUDIT_PATH
from core.db.databases import Databases
from core.errors import InvalidParameter
from core.jobs.wall import Wall
from core.settings import Settings
from tests.api.test_downloads import Door
from tests.core.audit.test_events import events
from tests.core.audit.test_export_events import audit_ticket
from tests.support.documents import APRIL


@pytest.fixture
def door(databases: Databases, settings: Settings) -> Door:
    return Door(databases, settings)


def test_the_file_is_the_audit_as_csv(door: Door, databases: Databases, connection: psycopg.Connection) -> None:
    """All columns as text, in the order of the chain, with times and hashes; formulas get their guard."""
    actor = Actor("user:x", Wall(None), frozenset(), address="=1+1", remote_address="192.0.2.7")
    record(databases, Event.JOBS_LISTED, actor, subject='a "b", c', details={"shown": 1})
    row = connection.execute(
        "SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), encode(hash, 'hex') FROM audit_events"
    ).fetchone()
    assert row is not None
    at = row[0].replace(" ", "T") + "Z"

    status, headers, body = door.get(audit_ticket(), path=AUDIT_PATH)

    assert status == 200
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["content-disposition"].startswith('attachment; filename="audit_2')
    assert body.decode() == (
        "\ufeffseq,at,event,actor,address,remote_address,subject,details,hash\n"
        f'1,{at},jobs-listed,user:x,\'=1+1,192.0.2.7,"a ""b"", c","{{""shown"": 1}}",{row[1]}\n'
    )


def test_the_file_leaves_an_event_of_its_own(door: Door, connection: psycopg.Connection) -> None:
    """Before its first byte an event says who took which part; the file itself does not hold it."""
    _, headers, body = door.get(audit_ticket(event="jobs-listed"), path=AUDIT_PATH)

    assert body.count(b"\n") == 1
    assert [(event["event"], event["actor"], event["subject"], event["details"]) for event in events(connection)] == [
        ("audit-exported", "user:demo", headers["x-export-id"], {"filter": {"event": "jobs-listed"}})
    ]


def test_the_file_is_for_admins(door: Door) -> None:
    """Somebody who may export jobs but not configure is refused."""
    door.person = Actor(DEMO_PERSON.name, Wall(None), frozenset({Scope.JOB_READ}))

    assert door.get(audit_ticket(), path=AUDIT_PATH)[0] == 403


def test_a_long_file_is_whole(door: Door, connection: psycopg.Connection) -> None:
    """A file of many blocks has every event once, in order."""
    connection.execute(
        """
        INSERT INTO audit_events SELECT n, '2026-04-15T12:00:00Z', 'jobs-listed', 'cli', NULL, NULL, NULL, '{}',
            sha256('') FROM generate_series(1, 20000) AS n
        """
    )

    body = door.get(audit_ticket(), path=AUDIT_PATH)[2]

    assert [int(line.split(b",")[0]) for line in body.splitlines()[1:]] == list(range(1, 20001))


@pytest.fixture
def several(databases: Databases) -> Databases:
    """Databases with five events of several people."""
    for number, (event, name, address) in enumerate(
        (
            (Event.JOBS_LISTED, "user:a", "Ada@example.com"),
            (Event.KEY_CREATED, "cli", None),
            (Event.JOBS_LISTED, "user:b", "bob@example.com"),
            (Event.EXPORT_REFUSED, "anonymous", None),
            (Event.JOBS_LISTED, "key:100%", None),
        )
    ):
        actor = Actor(name, Wall(None), frozenset(), address=address, remote_address=f"192.0.2.{number}")
        record(databases, event, actor)
    return databases


def listed(databases: Databases, **params: str) -> list[int]:
    """Page through the list, two events a page."""
    audit_filter, folding = AuditFilter.from_params(params.items()), databases.ours.folding()
    found: list[int] = []
    after: Any = None
    while True:
        with databases.ours.transaction() as connection:
            page = page_events(connection, audit_filter, folding, after=after, limit=2)
        found += [row.seq for row in page.rows]
        if page.next is None:
            return found
        after = page.next


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"event": "jobs-listed"}, [5, 3, 1]),
        ({"event": "key-created,export-refused"}, [4, 2]),
        ({"who": "ADA@"}, [1]),
        ({"who": "192.0.2.3"}, [4]),
        ({"who": "key:100%"}, [5]),
        ({"who": "%"}, [5]),
        ({"who": "user:", "event": "jobs-listed"}, [3, 1]),
        (APRIL, []),
    ],
)
def test_the_list_pages_through_what_the_filter_means(
    several: Databases, params: dict[str, str], found: list[int]
) -> None:
    """Newest first, each event once, by kind, by a part of any name or address, and by days."""
    assert listed(several, **params) == found


def test_days_are_half_open(databases: Databases, connection: psycopg.Connection) -> None:
    """`from` is inclusive and `to` exclusive."""
    for seq, at in enumerate((datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)), 1):
        connection.execute(
            "INSERT INTO audit_events VALUES (%s, %s, 'jobs-listed', 'cli', NULL, NULL, NULL, '{}', sha256(''))",
            [seq, at],
        )

    assert listed(databases, **APRIL) == [1]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ([("colour", "red")], "The audit is filtered by"),
        ([("who", "")], "who is empty"),
        ([("who", "a"), ("who", "b")], "who is empty or given more than once"),
        ([("who", "x" * 201)], "who takes up to 200"),
        ([("who", "a\0")], "who takes up to 200"),
        ([("event", "danced")], "event takes a list of signed-in"),
        ([("from", APRIL["from"])], "from and to belong together"),
        ([("from", APRIL["to"]), ("to", APRIL["from"])], "from is after to"),
    ],
)
def test_a_wrong_filter_gets_a_sentence(params: list[tuple[str, str]], sentence: str) -> None:
    """Whatever is wrong is said with the name of the parameter."""
    with pytest.raises(InvalidParameter, match=sentence):
        AuditFilter.from_params(params)


def test_a_filter_reads_back() -> None:
    """What is printed is what was parsed."""
    params = APRIL | {"event": "jobs-listed,key-created", "who": "É, =1"}

    assert AuditFilter.from_params(params.items()).to_params() == params
    assert AuditFilter.from_params([]).to_params() == {}
