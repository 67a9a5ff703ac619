"""The page of holds and erasures below the browser: placed and ended by admins, and what was erased is listed."""

from datetime import date

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE, Actor, Forbidden
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.jobs.wall import Wall
from core.keeping.erasure import erase
from core.keeping.holds import Held, list_holds, place_hold
from core.keeping.survey import Target
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.rows import insert_job, insert_log

PAGE = str(ROOT / "dashboard" / "retention" / "page.py")


@pytest.fixture
def page(databases: Databases, settings: Settings) -> AppTest:
    """The page as the demo person sees it."""
    provide(
        Resources(
            databases, settings.model_copy(update={"fencepost_demo": True}), TicketOffice("a secret of the tests")
        )
    )
    return AppTest.from_file(PAGE, default_timeout=60)


def place(page: AppTest, **said: str | date) -> None:
    """Press the button of the dialog; AppTest runs the whole script, which shows one only where it is opened again."""
    page.button(key="open_place").click()
    for key, value in said.items():
        if isinstance(value, date):
            page.date_input(key=f"hold_{key}").set_value(value)
        elif key == "client":
            page.selectbox(key="hold_client").set_value(value)
        elif key == "reason":
            page.text_area(key="hold_reason").input(value)
        else:
            page.text_input(key=f"hold_{key}").input(value)
    page.button(key="hold_place").click().run()


def test_a_hold_is_placed_and_ended(page: AppTest, databases: Databases, connection: psycopg.Connection) -> None:
    """What is wrong is said and stays; days are those of UTC, the last one with it; both acts are in the audit.

    Whoever is to end one of two that keep the same jobs sees why each was placed.
    """
    insert_job(connection, client_id="acme")
    page.run()
    page.button(key="open_place").click().run()
    place(page, job="x", reason="a letter")
    refused = [text.value for text in page.text]
    place(page, job="", reason="a letter")
    refused += [text.value for text in page.text]
    place(page, first=date(2026, 4, 1), reason="a letter")
    refused += [text.value for text in page.text]
    place(page, first=date(2026, 4, 2), last=date(2026, 3, 31), reason="a letter")
    refused += [text.value for text in page.text]
    place(page, job="", client="acme", first=date(2026, 4, 1), last=date(2026, 4, 30))
    page.run()
    held = page.dataframe[0].value
    offered = page.selectbox(key="chosen_hold").options
    page.button(key="open_end").click().run()
    asked = page.text[0].value
    page.button(key="open_end").click()
    page.button(key="hold_end").click().run()
    page.run()

    assert refused == [
        "Job id is not an id of a job: copy it from the open job, or leave it out.",
        "Say what is held: a client, a job, or a time.",
        "A time that is held has a beginning and an end: give both, or neither.",
        "The time that is held ends before it begins: correct it.",
    ]
    assert offered == [asked] == ["client “acme”, from 2026-04-01 to 2026-05-01: “a letter”"]
    assert held["What is held"].tolist() == ["client “acme”, from 2026-04-01 to 2026-05-01"]
    assert (held["State"].tolist(), held["Why"].tolist()) == (["✓ In force"], ["a letter"])
    assert page.dataframe[0].value["State"].item().startswith("○ Ended")
    assert [row.ended_by for row in list_holds(databases, ended=True)] == ["user:demo"]
    assert connection.execute("SELECT event FROM audit_events ORDER BY seq").fetchall() == [
        ("hold-placed",),
        ("hold-ended",),
    ]


def test_where_the_database_is_away_it_is_said_whether_a_hold_was_placed(
    page: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """It was not where the database was away before, and nobody knows where it went at the very end."""
    insert_job(connection, client_id="acme")
    page.run()
    page.button(key="open_place").click().run()
    said = []
    connection.execute("ALTER TABLE audit_lock RENAME TO elsewhere")
    place(page, client="acme", reason="a letter")
    said.append([page.error[0].value, page.text[0].value])
    connection.execute("ALTER TABLE elsewhere RENAME TO audit_lock")
    connection.execute("""
        CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER go AFTER INSERT ON holds DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
            EXECUTE FUNCTION go();
    """)
    place(page, client="acme", reason="a letter")
    said.append([page.error[0].value, page.text[0].value])
    connection.execute("DROP FUNCTION go CASCADE")
    place(page, client="acme", reason="a letter")

    assert said == [
        ["This was not done.", "The database does not answer at the moment: try again in a few seconds."],
        [
            "Nobody knows whether this was done.",
            "The database was gone before it had answered. Close this, and look before you do it again.",
        ],
    ]
    assert len(list_holds(databases)) == 1


def test_what_was_erased_is_listed(page: AppTest, databases: Databases, connection: psycopg.Connection) -> None:
    """Each erasure stands there with its numbers and who did it, in words; how one erases is said."""
    job_id = insert_job(connection)
    insert_log(connection, job_id)
    erase(databases, COMMAND_LINE, Target(job_id=job_id))

    page.run()

    row = page.dataframe[0].value.iloc[0].to_dict()
    row.pop("Erased")
    assert row == {
        "What": f"job {job_id}",
        "Jobs": "1",
        "Notes and drafts": "0",
        "Exports that may hold them": "0",
        "Erased by": "command line",
    }
    assert any("erase --job ID" in caption.value for caption in page.caption)


def test_a_hold_is_for_admins(databases: Databases) -> None:
    """Whoever lacks the scope is refused, whichever way they came."""
    with pytest.raises(Forbidden):
        place_hold(databases, Actor("user:a", Wall(None), frozenset()), Held(client_id="acme"), "a letter")
