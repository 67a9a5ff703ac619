"""Who gets which page and which download: every kind of person × every route, with real sessions and real tickets."""

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import streamlit as st
from sqlalchemy import Connection
from streamlit.testing.v1 import AppTest

from api.downloads import Downloads
from api.services import create_services
from core.actor import COMMAND_LINE, STAFF_SCOPES, Scope
from core.audit.filter import AuditFilter
from core.auth.rights import Rights, give_rights, parse_holder
from core.auth.sign_in import Door as Entrance
from core.auth.tickets import (
    AUDIT_PATH,
    DOWNLOAD_PATH,
    REPORT_PATH,
    REVIEWS_PATH,
    SAMPLE_PATH,
    Download,
    Ticket,
)
from core.db.databases import Databases
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Verdict
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.api.test_downloads import APRIL, OFFICE, Door
from tests.conftest import ROOT
from tests.core.quality.test_answers import ANN, judge
from tests.support.rows import insert_job

LISTS = {
    "fencepost_staff": "staff@ex.org,both@ex.org",
    "fencepost_admins": "admin@ex.org,both@ex.org",
    "fencepost_groups_claim": "groups",
}
LATER = {"fencepost_staff": "other@ex.org", "fencepost_admins": "other@ex.org"}

# Pages and downloads by the scope that they need; exports and the policy are for whoever has one of the two.
BROWSE = ("jobs", "categories", "quality", "policy")
READ = ("jobs", "categories", "reviews", "quality", "policy", "exports")
ADMIN = ("policy", "exports", "people", "keys", "webhooks", "retention", "audit")
PAGES = (*READ, "people", "keys", "webhooks", "retention", "audit")

# Whose jobs there are to download, whose sample, and what an admin has given, to whom and for which clients.
CLIENTS = ("A", "B")
EVERYTHING = "AB"
GIVEN: dict[str, tuple[str, frozenset[Scope], frozenset[str] | None]] = {
    "reader": ("reader@ex.org", frozenset({Scope.JOB_READ}), None),
    "reviewer of A": ("@a.ex.org", frozenset({Scope.JOB_READ, Scope.JOB_REVIEW}), frozenset({"A"})),
    "exporter of A": ("group a-export", STAFF_SCOPES - {Scope.JOB_REVIEW}, frozenset({"A"})),
    "exporter of A and B": ("ab@ex.org", STAFF_SCOPES, frozenset({"A", "B"})),
    "exporter of others": ("others@ex.org", STAFF_SCOPES, frozenset({"C"})),
    "admin by group": ("group leads", frozenset({Scope.ADMIN_CONFIG}), None),
    "admin who reads B": ("admin@ex.org", frozenset({Scope.JOB_READ}), frozenset({"B"})),
}
WHO = {
    "reader": "reader@ex.org",
    "reviewer of A": "anybody@a.ex.org",
    "exporter of A": "x@elsewhere.org",
    "exporter of A and B": "ab@ex.org",
    "exporter of others": "others@ex.org",
    "admin by group": "y@elsewhere.org",
    "admin who reads B": "admin@ex.org",
}

# Actor: the pages that there are for them, the clients whose jobs are theirs to download, those whose verdicts are
# (None: neither these nor the audit), and whether the sample of A is theirs to look at.
TABLE: dict[str, tuple[tuple[str, ...], str | None, str | None, bool]] = {
    "staff": (READ, EVERYTHING, None, True),
    "admin": (ADMIN, None, EVERYTHING, False),
    "both": (PAGES, EVERYTHING, EVERYTHING, True),
    "outsider": ((), None, None, False),
    "not verified": ((), None, None, False),
    "expired": ((), None, None, False),
    "signed out": ((), None, None, False),
    "lost the scope": ((), None, None, False),
    "a session that nobody has": ((), None, None, False),
    "reader": (BROWSE, None, None, True),
    "reviewer of A": ((*BROWSE, "reviews"), None, None, True),
    "exporter of A": ((*BROWSE, "exports"), "A", None, True),
    "exporter of A and B": (READ, EVERYTHING, None, True),
    "exporter of others": (READ, "", None, False),
    "admin by group": (ADMIN, None, EVERYTHING, False),
    "admin who reads B": ((*BROWSE, *ADMIN), None, "B", False),
}


def claims_of(actor: str) -> dict[str, Any]:
    """Return what the provider says of somebody."""
    name = actor if actor in ("staff", "admin", "both", "outsider") else "both"
    address = WHO.get(actor, f"{name}@ex.org")
    claims: dict[str, Any] = {"iss": "https://id.ex.org", "sub": name, "email": address}
    claims |= {"iat": time.time(), "email_verified": actor != "not verified"}
    claims["groups"] = {"exporter of A": ["a-export"], "admin by group": ["leads", "all"]}.get(actor, ["all"])
    if actor == "expired":
        claims["auth_time"] = time.time() - 13 * 3600
    return claims


def let_in(actor: str, claims: dict[str, Any], databases: Databases, settings: Settings) -> Entrance:
    """Let somebody come in as far as they can; return the door as it is afterwards."""
    if actor in GIVEN:
        who, scopes, clients = GIVEN[actor]
        holder = parse_holder(who.removeprefix("group "), is_group=who.startswith("group "))
        give_rights(databases, COMMAND_LINE, holder, Rights(scopes, clients))
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
    """Jobs need `job:export`, the audit `admin:config`, now; a ticket opens nothing else, and a refusal is recorded.

    What comes is of the clients that the person may see, and no other's.
    """
    for client in CLIENTS:
        job_id = insert_job(connection, client_id=client, prompt=f"<{client}>", is_prohibited=True)
        judge(databases, ANN, job_id, Verdict.AGREE, note=f"<{client}>")
    sample_id = draw_sample(databases, COMMAND_LINE, replace(APRIL, client_id="A"), Plan("of A", 1))
    entrance = let_in(actor, claims_of(actor), databases, settings)
    session = "f" * 64 if actor == "a session that nobody has" else session_of(databases)
    door = Door(databases, settings)
    door.app = Downloads(
        create_services(databases, settings), OFFICE, lambda _, given: entrance.recognise(given) if given else None
    )
    jobs = urlencode({"ticket": OFFICE.issue(Ticket(Download.JOBS, "user:x", APRIL, session), browser="browser-1")})
    audit = urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.AUDIT, "user:x", AuditFilter(), session), browser="browser-1")}
    )
    reviews = urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.REVIEWS, "user:x", APRIL, session), browser="browser-1")}
    )
    own = {DOWNLOAD_PATH: jobs, AUDIT_PATH: audit, REVIEWS_PATH: reviews}
    sample = urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.SAMPLE, "user:x", sample_id, session), browser="browser-1")}
    )

    answers = {path: door.get(query, path=path) for path, query in own.items()}
    of_sample = [door.get(sample, path=path)[0] for path in (REPORT_PATH, SAMPLE_PATH)]
    of_b = OFFICE.issue(Ticket(Download.JOBS, "user:x", replace(APRIL, client_id="B"), session), browser="browser-1")
    jobs_of_b = door.get(urlencode({"ticket": of_b}))
    statuses = [status for status, _, _ in answers.values()]
    others = [door.get(query, path=path)[0] for path in own for other, query in own.items() if other != path]
    elsewhere = [door.get(query, path=path, browser=each)[0] for path, query in own.items() for each in ("x", None)]

    pages, exported, verdicts, sees_sample = TABLE[actor]
    assert statuses == [200 if theirs is not None else 403 for theirs in (exported, verdicts, verdicts)]
    for path, theirs in ((DOWNLOAD_PATH, exported), (REVIEWS_PATH, verdicts)):
        body = answers[path][2].decode()
        assert [client for client in CLIENTS if f"<{client}>" in body] == list(theirs or "")
    assert (jobs_of_b[0] == 200) == ("B" in (exported or ""))
    assert of_sample == [
        (200 if sees_sample else 404) if has_scope else 403 for has_scope in ("quality" in pages, exported is not None)
    ]
    assert {*others, *elsewhere} == {403}
    refused = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'export-refused'").fetchone()
    assert refused is not None
    every = [*statuses, *of_sample, jobs_of_b[0], *others, *elsewhere]
    assert refused[0] in (every.count(403), every.count(403) + of_sample.count(404))


@pytest.mark.parametrize(
    "actor",
    ["staff", "admin", "outsider", "signed out", "reader", "reviewer of A", "exporter of A", "admin who reads B"],
)
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

    assert set(shown) == set(TABLE[actor][0])
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
