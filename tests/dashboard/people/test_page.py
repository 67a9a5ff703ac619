"""The page of people below the browser: rights are given, changed and taken, by admins, and by nobody else."""

import time
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE, STAFF_SCOPES, Scope
from core.auth.rights import GIVEN_SCOPES, Holder, Kind, Rights, give_rights, list_rights, parse_holder
from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.people.dialogs import ALL, GROUP, SOME
from dashboard.people.words import SCOPE_WORDS, WORDS
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.rows import insert_job

PAGE = (ROOT / "dashboard" / "people" / "page.py").read_text()

# A run of a test draws the whole page, which opens no dialog: so a dialog is looked at by itself.
HEAD = "from core.auth.rights import *\nfrom core.actor import Scope\nfrom dashboard.people.dialogs import *\n"
GIVE = HEAD + "give_dialog(['ann@ex.org', 'a@ex.org'], ['ops', 'leads'])"
READ, ADMIN = frozenset({Scope.JOB_READ}), frozenset({Scope.ADMIN_CONFIG})


@pytest.fixture
def database_url(shared_url: str) -> str:
    """One database for all of these tests, without people and rights for each."""
    with psycopg.connect(shared_url) as emptying:
        emptying.execute("TRUNCATE rights, sessions, people, jobs, moderation_logs")
    return shared_url


@pytest.fixture
def open_page(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Open the page for somebody who signs in with an address; boss@ex.org is an admin by the settings."""
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.1")
    values = {"fencepost_admins": "boss@ex.org", "fencepost_groups_claim": "groups"}

    def open_as(address: str, *providers: str, script: str = PAGE, **more: Any) -> AppTest:
        lists = {"fencepost_admins": f"{providers[0]}:boss@ex.org"} if providers else {}
        chosen = settings.model_copy(update=values | more | lists)
        door = Door(databases, chosen, providers or ("company",))
        claims = {"iss": "https://id.ex.org", "sub": address, "email": address, "email_verified": True}
        session = uuid4().hex * 2
        said = {"iat": time.time() - 3600, "groups": ["ops", "leads"]}
        door.sign_in(session, claims | said, (providers or ("company",))[0])
        provide(Resources(databases, chosen, TicketOffice("x" * 43), door, providers or ("company",)))
        app = AppTest.from_string(script, default_timeout=60)
        app.user = {"is_logged_in": True, "session": session}
        return app.run()

    return open_as


def given(databases: Databases) -> list[tuple[str, str, str, list[str], list[str] | None]]:
    rows = list_rights(databases, COMMAND_LINE)
    return [(row.kind, row.provider, row.name, row.scopes, row.clients) for row in rows]


def field(app: AppTest, kind: str, key: str) -> Any:
    """Return the field of a dialog whose key begins so."""
    return next(each for each in getattr(app, kind) if str(each.key).startswith(key))


def test_every_right_has_words() -> None:
    """Whatever can be given is said in words, in the table and in the dialog."""
    assert set(WORDS) == set(SCOPE_WORDS) == set(GIVEN_SCOPES)


def test_rights_are_given_for_some_clients(
    open_page: Any, databases: Databases, connection: psycopg.Connection
) -> None:
    """To somebody who has come in, with what they may and for whom; the table and the audit have it."""
    insert_job(connection, client_id="acme")
    open_page("ann@ex.org")
    app = open_page("boss@ex.org")
    app.button(key="open_give").click().run()
    assert app.selectbox(key="rights_who").options == ["ann@ex.org", "boss@ex.org"]
    app = open_page("boss@ex.org", script=GIVE)

    app.selectbox(key="rights_who").set_value("ann@ex.org")
    field(app, "multiselect", "rights_scopes").set_value([Scope.JOB_READ, Scope.JOB_REVIEW])
    field(app, "radio", "rights_reach").set_value(SOME).run()
    assert field(app, "multiselect", "rights_clients").options == ["acme"]
    field(app, "multiselect", "rights_clients").set_value(["acme"])
    app.button(key="rights_give").click().run()
    app = open_page("boss@ex.org")

    assert not app.exception
    assert given(databases) == [("person", "", "ann@ex.org", ["job:read", "job:review"], ["acme"])]
    assert app.dataframe[0].value.iloc[0][["who", "may", "clients", "giver"]].tolist() == [
        *("ann@ex.org", "Read, Review", "acme", "boss@ex.org")
    ]
    came = app.dataframe[1].value.set_index("who")[["may", "clients", "groups"]].to_dict("index")
    assert came == {
        "ann@ex.org": {"may": "Read, Review", "clients": "acme", "groups": "ops, leads"},
        "boss@ex.org": {"may": "Admin", "clients": "– All clients", "groups": "ops, leads"},
    }


def test_times_have_a_zone_where_nobody_signs_in(databases: Databases, settings: Settings) -> None:
    """In demo mode rights can be given, and when that was is said with its zone."""
    give_rights(databases, COMMAND_LINE, parse_holder("ann@ex.org"), Rights(READ, None))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))

    app = AppTest.from_string(PAGE, default_timeout=60).run()

    captions = [caption.value for caption in app.caption]
    assert captions[-2:] == ["Nobody has signed in yet.", "Times are those of UTC."]


def test_a_group_is_offered_and_named_with_its_provider(open_page: Any, databases: Databases) -> None:
    """Groups that the provider said of somebody are offered; with several providers one of them is meant."""
    app = open_page("boss@ex.org", "google", "microsoft", script=GIVE)

    app.radio(key="rights_kind").set_value(GROUP).run()
    assert app.selectbox(key="rights_group").options == ["leads", "ops"]
    app.selectbox(key="rights_group").set_value("leads")
    app.selectbox(key="rights_provider").set_value("microsoft")
    field(app, "multiselect", "rights_scopes").set_value([Scope.ADMIN_CONFIG])
    app.button(key="rights_give").click().run()

    assert given(databases) == [("group", "microsoft", "leads", ["admin:config"], None)]


def test_rights_are_changed_and_taken(open_page: Any, databases: Databases) -> None:
    """The dialog begins with what somebody has; taking asks once more."""
    give_rights(databases, COMMAND_LINE, Holder(Kind.DOMAIN, "@ex.org"), Rights(READ, frozenset({"x", "y"})))
    held = "Holder(Kind.DOMAIN, '@ex.org')"
    app = open_page("boss@ex.org")
    app.selectbox(key="chosen_rights").select_index(0).run()
    app.button(key="open_change").click().run()
    assert field(app, "multiselect", "rights_clients").value == ["x", "y"]

    app = open_page(
        "boss@ex.org", script=f"{HEAD}change_dialog({held}, Rights(frozenset({{Scope.JOB_READ}}), frozenset('xy')))"
    )
    assert field(app, "multiselect", "rights_scopes").value == [Scope.JOB_READ]
    assert field(app, "multiselect", "rights_clients").value == ["x", "y"]
    field(app, "multiselect", "rights_clients").set_value(["y"])
    app.button(key="rights_change").click().run()
    changed = given(databases)
    app = open_page("boss@ex.org", script=f"{HEAD}take_dialog({held})")
    kept = given(databases)
    app.button(key="rights_take").click().run()
    app = open_page("boss@ex.org")

    assert changed == kept == [("domain", "", "@ex.org", ["job:read"], ["y"])]
    assert given(databases) == []
    assert [info.value for info in app.info] == ["No rights are given yet: the lists in the settings alone decide."]


@pytest.mark.parametrize(
    ("who", "scopes", "sentence"),
    [
        (None, READ, "“Address or @domain” is empty: write name@example.org or @example.org."),
        ("a@ex.org", frozenset(), "They may do nothing: choose what they may, or take away what they have."),
        (
            "a@ex.org",
            frozenset({Scope.JOB_EXPORT}),
            "An export holds all texts: give the right to see withheld ones too, or no export.",
        ),
    ],
)
def test_what_cannot_be_given_is_said(
    open_page: Any, databases: Databases, who: str | None, scopes: frozenset[Scope], sentence: str
) -> None:
    """The dialog stays open with a sentence that says what to do."""
    app = open_page("boss@ex.org", script=GIVE)

    app.selectbox(key="rights_who").set_value(who)
    field(app, "multiselect", "rights_scopes").set_value(list(scopes))
    app.button(key="rights_give").click().run()

    assert [error.value for error in app.error] == ["That can't be done."]
    assert sentence in [text.value for text in app.text]
    assert given(databases) == []


def test_nobody_takes_their_own_right_by_accident(open_page: Any, databases: Databases) -> None:
    """An admin by what was given is told to ask another one, and stays one."""
    give_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "ann@ex.org"), Rights(ADMIN, None))
    app = open_page("ann@ex.org", script=f"{HEAD}take_dialog(Holder(Kind.PERSON, 'ann@ex.org'))")

    app.button(key="rights_take").click().run()

    assert "That would take your own right to give rights: ask another admin to do it." in [
        text.value for text in app.text
    ]
    assert given(databases) == [("person", "", "ann@ex.org", ["admin:config"], None)]


def test_whoever_is_no_admin_sees_nothing_and_changes_nothing(open_page: Any, databases: Databases) -> None:
    """Neither by the page's script, nor by a dialog that was opened while they were one."""
    give_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "ann@ex.org"), Rights(STAFF_SCOPES | ADMIN, None))
    app = open_page("ann@ex.org", script=GIVE)
    app.selectbox(key="rights_who").set_value("a@ex.org")
    field(app, "multiselect", "rights_scopes").set_value([Scope.ADMIN_CONFIG])
    give_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "ann@ex.org"), Rights(STAFF_SCOPES, None))

    app.button(key="rights_give").click().run()
    page = open_page("ann@ex.org")

    assert not (*app.exception, *page.exception)
    assert not (*app.selectbox, *page.title, *page.dataframe, *page.selectbox)
    assert [row[2] for row in given(databases)] == ["ann@ex.org"]


def test_a_sign_in_that_is_long_ago_is_asked_for_again(open_page: Any) -> None:
    """Where the setting says so rights are given only after another sign-in."""
    app = open_page("boss@ex.org", fencepost_step_up_minutes=10)

    assert [info.value for info in app.info] == [
        "For people sign in again: that must not be longer ago than 10 minutes."
    ]
    assert not (*app.dataframe, *app.selectbox)


def test_a_dialog_keeps_nothing_that_was_chosen_for_somebody_else(open_page: Any, databases: Databases) -> None:
    """Where one is opened before the one of somebody with the same rights is forgotten, it begins with what is held."""
    ann, ben = parse_holder("ann@ex.org"), parse_holder("ben@ex.org")
    for holder in (ann, ben):
        give_rights(databases, COMMAND_LINE, holder, Rights(READ, None))
    app = open_page("boss@ex.org")
    app.selectbox(key="chosen_rights").set_value(ann).run()
    app.button(key="open_change").click().run()

    field(app, "multiselect", "rights_scopes").set_value(list(GIVEN_SCOPES))
    field(app, "radio", "rights_reach").set_value(SOME)
    app.selectbox(key="chosen_rights").set_value(ben)
    app.button(key="open_change").click().run()

    assert str(ben) in [text.value for text in app.text]
    assert field(app, "multiselect", "rights_scopes").value == [Scope.JOB_READ]
    assert field(app, "radio", "rights_reach").value == ALL
