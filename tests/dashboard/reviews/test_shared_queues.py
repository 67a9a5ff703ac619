"""Queues that people share, as somebody saves one, reviews from it, changes it, and looks at what was done."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import DEMO_PERSON
from core.db.databases import Databases
from core.review.queues import Queue
from core.review.saved_queues import Settings, find_queue, list_queues, read_settings, save_queue
from core.review.verdicts import Review, Verdict, record_review
from dashboard.queues.sentences import say_settings
from tests.core.review.test_saved_queues import WHOLE
from tests.core.review.test_verdicts import ANN, BEN, job
from tests.dashboard.jobs.test_page import address
from tests.dashboard.quality.conftest import OpenPage, open_page, texts
from tests.dashboard.reviews.test_page import button, judge, note, pills, verdicts
from tests.support.documents import APRIL, april
from tests.support.rows import NOON, insert_job

__all__ = ["open_page"]


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests, without what the one before has left."""
    with psycopg.connect(emptied_url) as connection:
        connection.execute("TRUNCATE queues, reviews, review_claims, review_drafts CASCADE")
    return emptied_url


DIALOG = """
import streamlit as st
from uuid import UUID
from core.review.queues import Queue
from dashboard.queues.dialogs import close_dialog, edit_dialog, save_dialog
from dashboard.reviews.week_dialog import week_dialog
from dashboard.address.zones import browser_zone
from tests.support.documents import april
def dialog():
    {call}
st.navigation([st.Page(dialog, default=True), st.Page("reviews/page.py", url_path="reviews")]).run()
"""


def open_dialog(folder: Path, call: str) -> AppTest:
    """Open a dialog, which in this script is open in each run."""
    (folder / "reviews").mkdir(exist_ok=True)
    (folder / "reviews" / "page.py").write_text("import streamlit as st\nst.write(st.query_params.to_dict())\n")
    (folder / "main.py").write_text(DIALOG.format(call=call))
    return AppTest.from_file(str(folder / "main.py"), default_timeout=60).run()


def test_a_filter_is_saved_as_a_queue(open_page: OpenPage, databases: Databases, tmp_path: Path) -> None:
    """The dialog names the jobs, wants a name, and saves what was chosen; an owner changes and closes it."""
    offered = [page for page in ("jobs", "reviews") if open_page(page, **APRIL).button(key="save_queue")]
    app = open_dialog(tmp_path, 'save_dialog(april(client_id="acme"), Queue.SECOND)')
    said = texts(app)
    app.button(key="queue_save").click().run()
    refused = texts(app)
    app.text_input(key="new_queue_name").set_value("of acme").run()
    app.toggle(key="new_queue_note").set_value(True).run()
    app.radio(key="new_queue_order").set_value("Newest first").run()
    app.button(key="queue_save").click().run()
    [saved] = list_queues(databases, DEMO_PERSON)
    app = open_dialog(tmp_path, f'edit_dialog(UUID("{saved.queue_id}"))')
    app.text_input(key=f"queue_{saved.queue_id}_name").set_value("other").run()
    app.button(key="queue_edit").click().run()
    edited = find_queue(databases, DEMO_PERSON, saved.queue_id)
    open_dialog(tmp_path, f'close_dialog(UUID("{saved.queue_id}"))').button(key="queue_close").click().run()

    assert offered == ["jobs", "reviews"]
    assert "Jobs of client “acme”" in said
    assert "Name is empty" in refused
    wanted = Settings(name="of acme", job_filter=april(client_id="acme"), kind=Queue.SECOND, needs_note=True)
    assert read_settings(saved) == wanted
    assert edited is not None
    assert read_settings(edited) == replace(wanted, name="other")
    assert list_queues(databases, DEMO_PERSON) == []


def test_a_shared_queue_is_reviewed_as_it_asks(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Oldest first, with a note and categories, which are asked for; verdicts keep the queue."""
    ids = [str(insert_job(connection, is_prohibited=True, created_at=NOON.replace(hour=hour))) for hour in (3, 1, 2)]
    settings = replace(WHOLE, is_oldest_first=True, needs_note=True, needs_categories=True)
    queue_id = save_queue(databases, ANN, settings)

    app = open_page("reviews", queue=str(queue_id))
    captions = list(app.radio(key="queue").proto.captions)
    button(app, "start").click().run()
    first = address(app)
    judge(app, "agree")
    asked = [error.value for error in app.error]
    pills(app).set_value(["none"]).run()
    button(app, "verdict_agree").click().run()
    asked += [error.value for error in app.error]
    note(app).set_value("because").run()
    button(app, "verdict_agree").click().run()
    second = address(app)["job"]
    button(app, "skip").click().run()
    third = address(app)["job"]

    assert captions[0] == "3 jobs · oldest 15 Apr 2026 · 0 reviewed in 7 days"
    assert first == {"queue": str(queue_id), "job": ids[1]}
    assert asked == [
        "Choose the categories that the job should have, or “None of them”.",
        "This queue asks for a note: say why, then give the verdict again.",
    ]
    assert verdicts(connection) == [("agree", "because")]
    assert connection.execute("SELECT queue_id FROM reviews").fetchall() == [(queue_id,)]
    assert [second, third] == [ids[2], ids[0]]
    assert "Not reviewed yet, oldest first, a verdict needs a note and categories." in texts(app)


def test_who_does_not_take_part_is_told(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """An admin sees the queue of others and cannot start; of one that is not there the page says so and goes on."""
    job_id = insert_job(connection, is_prohibited=True)
    queue_id = save_queue(databases, ANN, replace(WHOLE, people=(BEN.name,)))

    app = open_page("reviews", queue=str(queue_id), job=str(job_id))
    gone = open_page("reviews", queue=str(uuid4()))
    wrong = open_page("reviews", **APRIL, queue=str(queue_id))

    assert [info.value for info in app.info] == ["You do not take part in this queue: ask who owns it."]
    assert not [item for item in app.button if str(item.key).startswith(("start_", "verdict_"))]
    assert connection.execute("SELECT count(*) FROM review_claims").fetchone() == (0,)
    assert "This queue is closed, or not for you" in texts(gone)
    assert button(gone, "start")
    assert "A shared queue has its own jobs and order" in texts(wrong)


def test_leads_see_who_did_what(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """A table of people and queues, or a sentence; the page offers it to admins."""
    empty = texts(open_dialog(tmp_path, "week_dialog(browser_zone())"))
    queue_id = save_queue(databases, ANN, WHOLE)
    for by, queue in ((BEN, queue_id), (ANN, None)):
        given = job(databases, insert_job(connection, is_prohibited=True))
        record_review(databases, by, [given], Review(Verdict.OVERTURN, queue=queue))

    app = open_dialog(tmp_path, "week_dialog(browser_zone())")

    assert "Nobody has reviewed anything this week yet." in empty
    [table] = app.dataframe
    assert table.value.to_dict("split")["data"] == [
        [ANN.name, "No shared queue", 0, 1, 0, 0],
        [BEN.name, "April", 0, 1, 0, 0],
    ]
    assert open_page("reviews").button(key="open_week")


def test_a_long_name_stands_there_whole(open_page: OpenPage, databases: Databases) -> None:
    """What tells queues apart may stand at the end of their names."""
    name = "All that was rejected in the first half of the year by rules that are not in force any more"
    save_queue(databases, DEMO_PERSON, Settings(name=name, job_filter=april()))

    options = open_page("reviews", **APRIL).radio(key="queue").options

    assert any(name in option for option in options)


def test_a_queue_says_what_it_asks_for() -> None:
    """Kind, order, needs, whether it grows, people and the day, in one sentence."""
    growing = replace(WHOLE, kind=Queue.ESCALATED, needs_note=True, is_growing=True)
    settings = replace(growing, people=("a", "b"), last_day=NOON.date())

    assert say_settings(WHOLE) == "Not reviewed yet, newest first."
    assert say_settings(settings) == (
        "Escalated, newest first, a verdict needs a note, with jobs that arrive later, for 2 people, "
        "to be done by 2026-04-15."
    )


def test_start_means_the_queue_that_was_chosen_just_before(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Pressed before the choice has reached the screen, it opens a job of the queue that was chosen."""
    wanted, _ = (insert_job(connection, is_prohibited=True, client_id=client) for client in ("first", "second"))
    queue_id = save_queue(databases, ANN, replace(WHOLE, job_filter=april(client_id="first")))

    app = open_page("reviews", **APRIL)
    app.radio(key="queue").set_value(queue_id)
    button(app, "start").click().run()

    assert address(app) == {"queue": str(queue_id), "job": str(wanted)}
