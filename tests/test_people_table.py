"""Who gets which download: every kind of person × every route, with real sessions and real tickets."""

import time
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from api.downloads import Downloads
from api.services import create_services
from core.audit_filter import AuditFilter
from core.database import Databases
from core.people import Door as Entrance
from core.settings import Settings
from core.tickets import AUDIT_PATH, DOWNLOAD_PATH, AuditTicket, Ticket
from tests.test_downloads import APRIL, OFFICE, Door

LISTS = {"fencepost_staff": "staff@ex.org,both@ex.org", "fencepost_admins": "admin@ex.org,both@ex.org"}
LATER = {"fencepost_staff": "other@ex.org", "fencepost_admins": "other@ex.org"}

# Actor: whether jobs and audit are theirs to download.
TABLE: dict[str, tuple[bool, bool]] = {
    "staff": (True, False),
    "admin": (False, True),
    "both": (True, True),
    "outsider": (False, False),
    "not verified": (False, False),
    "expired": (False, False),
    "signed out": (False, False),
    "lost the scope": (False, False),
    "a session that nobody has": (False, False),
}


def session_of(actor: str, databases: Databases, settings: Settings) -> tuple[str, Entrance]:
    """Let somebody come in as far as they can; return their session and the door as it is afterwards."""
    entrance = Entrance(databases, settings.model_copy(update=LISTS), ("company",))
    name = actor if actor in ("staff", "admin", "both", "outsider") else "both"
    claims: dict[str, Any] = {"iss": "https://id.ex.org", "sub": name, "email": f"{name}@ex.org", "provider": "company"}
    claims |= {"iat": time.time(), "email_verified": actor != "not verified"}
    if actor == "expired":
        claims["auth_time"] = time.time() - 13 * 3600
    visit = entrance.enter(claims)
    if actor == "signed out":
        assert visit.actor is not None
        entrance.sign_out(visit.actor)
    if actor == "lost the scope":
        entrance = Entrance(databases, settings.model_copy(update=LATER), ("company",))
    if visit.actor is not None:
        return str(visit.actor.session), entrance
    with databases.ours.transaction() as connection:
        found = connection.exec_driver_sql("SELECT session FROM sessions").scalar_one_or_none()
    return str(found or "0" * 64), entrance


@pytest.mark.parametrize("actor", TABLE)
def test_each_person_gets_what_the_table_says(
    databases: Databases, settings: Settings, connection: psycopg.Connection, actor: str
) -> None:
    """Jobs need `job:read`, the audit `admin:config`, now; a ticket opens nothing else, and a refusal is recorded."""
    session, entrance = session_of(actor, databases, settings)
    session = "f" * 64 if actor == "a session that nobody has" else session
    door = Door(databases, settings)
    door.app = Downloads(
        create_services(databases, settings), OFFICE, lambda _, given: entrance.recognise(given) if given else None
    )
    jobs = urlencode({"ticket": OFFICE.issue(Ticket("user:x", APRIL, session), browser="browser-1")})
    audit = urlencode({"ticket": OFFICE.issue(AuditTicket("user:x", AuditFilter(), session), browser="browser-1")})

    statuses = [
        door.get(query, path=path, browser=browser)[0]
        for query, path, browser in [
            (jobs, DOWNLOAD_PATH, "browser-1"),
            (audit, AUDIT_PATH, "browser-1"),
            (jobs, AUDIT_PATH, "browser-1"),
            (audit, DOWNLOAD_PATH, "browser-1"),
            (jobs, DOWNLOAD_PATH, "browser-2"),
            (audit, AUDIT_PATH, None),
        ]
    ]

    expected = [200 if allowed else 403 for allowed in TABLE[actor]] + [403] * 4
    assert statuses == expected
    refused = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'export-refused'").fetchone()
    assert refused == (expected.count(403),)
