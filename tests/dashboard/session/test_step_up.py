"""Pages that want a sign-in that is not long ago."""

import time

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from core.webhooks.endpoints import create_endpoint
from core.webhooks.events import WebhookEvent
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.core.auth.conftest import claims_of

PEOPLE = {"fencepost_admins": "a@example.com", "fencepost_staff": "a@example.com"}


def open_door(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch, **minutes: int) -> Door:
    """Provide pages with a sign-in that asks for another, or ends, after so many minutes."""
    chosen = settings.model_copy(update=PEOPLE | minutes)
    door = Door(databases, chosen, ("company",))
    provide(Resources(databases, chosen, TicketOffice("x" * 43), door, ("company",)))
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.1")
    monkeypatch.setattr(type(st.context), "cookies", {})
    return door


def visit(page: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "dashboard" / page / "page.py"), default_timeout=60)
    app.user = {"is_logged_in": True, "session": "a" * 64}
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("page", ["keys", "audit"])
def test_keys_and_audit_want_a_fresh_sign_in(
    databases: Databases,
    settings: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    page: str,
) -> None:
    """Whoever signed in long ago is asked to do it again, sees nothing, and no look is recorded."""
    door = open_door(databases, settings, monkeypatch, fencepost_step_up_minutes=10)

    door.sign_in("a" * 64, claims_of("a@example.com", auth_time=time.time() - 700), "company")
    before = visit(page)
    looks = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'audit-listed'").fetchone()
    connection.execute("UPDATE sessions SET authenticated_at = now()")
    after = visit(page)

    sentence = "sign in again: that must not be longer ago than 10 minutes."
    assert [info.value.endswith(sentence) for info in before.info] == [True]
    assert [button.label for button in before.button] == ["Sign in again"]
    assert not before.dataframe
    assert looks == (0,)
    assert "Sign in again" not in [button.label for button in after.button]
    assert len(after.button) > 0


@pytest.mark.parametrize(("run_every", "is_act"), [(4, False), (None, True)])
def test_what_a_page_does_by_itself_keeps_no_session(
    databases: Databases,
    settings: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    run_every: int | None,
    is_act: bool,
) -> None:
    """A fragment that runs every few seconds is no act of its person; one that runs because of them is."""
    door = open_door(databases, settings, monkeypatch, fencepost_idle_minutes=30)
    door.sign_in("a" * 64, claims_of("a@example.com"), "company")
    app = AppTest.from_string(
        "import streamlit as st\n"
        "from dashboard.session.admission import fragment\n"
        f"fragment(run_every={run_every})(lambda person: st.text(person.address))()\n"
    )
    app.user = {"is_logged_in": True, "session": "a" * 64}

    app.run(timeout=60)

    assert [text.value for text in app.text] == ["a@example.com"]
    acted = connection.execute("SELECT last_seen_at IS NOT NULL FROM sessions").fetchone()
    assert acted == (is_act,)


def test_a_page_that_was_opened_in_time_does_nothing_later(
    databases: Databases, settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A button of a page that stands open when the sign-in has become too old asks for another, and does nothing."""
    door = open_door(databases, settings, monkeypatch, fencepost_step_up_minutes=10)
    door.sign_in("a" * 64, claims_of("a@example.com"), "company")
    url, networks = "https://127.0.0.1/", ["127.0.0.0/8"]
    create_endpoint(databases, COMMAND_LINE, url=url, events=WebhookEvent, client_id=None, networks=networks)
    app = visit("webhooks")

    connection.execute("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
    app.button(key="pause_webhook").click().run()

    assert [button.label for button in app.button] == ["Sign in again"]
    assert connection.execute("SELECT paused_at FROM webhook_endpoints").fetchall() == [(None,)]
