"""Who gets which page and which download: every kind of person × every route, with real sessions and real tickets."""

import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import streamlit as st
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from api.downloads import Downloads
from api.services import create_services
from core.audit.filter import AuditFilter
from core.auth.sign_in import Door as Entrance
from core.auth.tickets import AUDIT_PATH, DOWNLOAD_PATH, REVIEWS_PATH, AuditTicket, ReviewsTicket, Ticket
from core.db.databases import Databases
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.api.test_downloads import APRIL, OFFICE, Door
from tests.conftest import ROOT

LISTS = {"fencepost_staff": "staff@ex.org,both@ex.org", "fencepost_admins": "admin@ex.org,both@ex.org"}
LATER = {"fencepost_staff": "other@ex.org", "fencepost_admins": "other@ex.org"}

# Pages and downloads by the scope that they need; exports and the policy are for whoever has one of the two.
READ = ("jobs", "categories", "reviews", "policy", "exports")
ADMIN = ("policy", "exports", "keys", "webhooks", "audit")
PAGES = (*READ, "keys", "webhooks", "audit")

# Actor: the pages that there are for them, whether jobs are theirs to download, and whether audit and reviews are.
TABLE: dict[str, tuple[tuple[str, ...], bool, bool]] = {
    "staff": (READ, True, False),
    "admin": (ADMIN, False, True),
    "both": (PAGES, True, True),
    "outsider": ((), False, False),
    "not verified": ((), False, False),
    "expired": ((), False, False),
    "signed out": ((), False, False),
    "lost the scope": ((), False, False),
    "a session that nobody has": ((), False, False),
}


def claims_of(actor: str) -> dict[str, Any]:
    """Return what the provider says of somebody."""
    name = actor if actor in ("staff", "admin", "both", "outsider") else "both"
    claims: dict[str, Any] = {"iss": "https://id.ex.org", "sub": name, "email": f"{name}@ex.org"}
    claims |= {"iat": time.time(), "email_verified": actor != "not verified"}
    if actor == "expired":
        claims["auth_time"] = time.time() - 13 * 3600
    return claims


def let_in(actor: str, claims: dict[str, Any], databases: Databases, settings: Settings) -> Entrance:
    """Let somebody come in as far as they can; return the door as it is afterwards."""
    entrance = Entrance(databases, settings.model_copy(update=LISTS), ("company",))
    entrance.sign_in("5" * 64, claims, "company")
    visit = entrance.enter("5" * 64)
    if actor == "signed out":
        assert visit.actor is not None
        entrance.sign_out(visit.actor)
    if actor == "lost the scope":
        entrance = Entrance(databases, settings.model_copy(update=LATER), ("company",))
    return entrance


def session_of(databases: Databases) -> str:
    """Return the session that is remembered, or one that is not."""
    with databases.ours.transaction() as connection:
        found = connection.exec_driver_sql("SELECT session FROM sessions").scalar_one_or_none()
    return str(found or "0" * 64)


@pytest.mark.parametrize("actor", TABLE)
def test_each_person_gets_what_the_table_says(
    databases: Databases, settings: Settings, connection: psycopg.Connection, actor: str
) -> None:
    """Jobs need `job:read`, the audit `admin:config`, now; a ticket opens nothing else, and a refusal is recorded."""
    entrance = let_in(actor, claims_of(actor), databases, settings)
    session = "f" * 64 if actor == "a session that nobody has" else session_of(databases)
    door = Door(databases, settings)
    door.app = Downloads(
        create_services(databases, settings), OFFICE, lambda _, given: entrance.recognise(given) if given else None
    )
    jobs = urlencode({"ticket": OFFICE.issue(Ticket("user:x", APRIL, session), browser="browser-1")})
    audit = urlencode({"ticket": OFFICE.issue(AuditTicket("user:x", AuditFilter(), session), browser="browser-1")})
    reviews = urlencode({"ticket": OFFICE.issue(ReviewsTicket("user:x", APRIL, session), browser="browser-1")})
    own = {DOWNLOAD_PATH: jobs, AUDIT_PATH: audit, REVIEWS_PATH: reviews}

    statuses = [door.get(query, path=path)[0] for path, query in own.items()]
    others = [door.get(query, path=path)[0] for path in own for other, query in own.items() if other != path]
    elsewhere = [door.get(query, path=path, browser=each)[0] for path, query in own.items() for each in ("x", None)]

    _, may_read, may_configure = TABLE[actor]
    assert statuses == [200 if allowed else 403 for allowed in (may_read, may_configure, may_configure)]
    assert {*others, *elsewhere} == {403}
    refused = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'export-refused'").fetchone()
    assert refused == ([*statuses, *others, *elsewhere].count(403),)


@pytest.mark.parametrize("actor", ["staff", "admin", "outsider", "signed out"])
def test_each_person_gets_the_pages_of_the_table(
    databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch, actor: str
) -> None:
    """What is theirs is in the navigation; the script of any other page shows nothing and records no look."""
    entrance = let_in(actor, claims_of(actor), databases, settings)
    provide(Resources(databases, settings, OFFICE, entrance, ("company",)))
    # AppTest knows users, and no network.
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.1")
    monkeypatch.setattr(type(st.context), "cookies", {})

    app = visit("main.py")
    shown = [page for page in PAGES if name_page(switched(app, page)) == page]
    with databases.ours.transaction() as connection:
        seen = find_looks(connection)
    for page in PAGES:
        if page not in TABLE[actor][0]:
            script = visit(f"{page}/page.py")
            assert not (*script.title, *script.dataframe, *script.button, *script.caption)

    assert shown == [*TABLE[actor][0]]
    with databases.ours.transaction() as connection:
        assert find_looks(connection) == seen


def visit(script: str) -> AppTest:
    """Run a script for whoever has signed in."""
    app = AppTest.from_file(str(ROOT / "dashboard" / script), default_timeout=60)
    app.user = {"is_logged_in": True, "session": "5" * 64}
    app.run()
    assert not app.exception
    return app


def switched(app: AppTest, page: str) -> AppTest:
    """Follow a link of the navigation if there is one."""
    with suppress(ValueError):
        app.switch_page(f"{page}/page.py").run()
    assert not app.exception
    return app


def name_page(app: AppTest) -> str:
    """Name the page that is shown; Reviews has no title, and a button to start with."""
    if app.title:
        return app.title[0].value.lower()
    return "reviews" if any(str(button.key).startswith("start_") for button in app.button) else ""


def find_looks(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM audit_events").scalar_one())
