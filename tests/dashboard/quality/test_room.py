"""Judging a sample on its page: blind or not, one job after the other, by those who take part."""

from uuid import UUID

import psycopg
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.quality.samples import Judging, Plan, draw_sample
from dashboard.keyboard.help import CONTROLS
from tests.dashboard.quality.conftest import OpenPage, texts
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log

RULE = "a rule of this test"


def draw(databases: Databases, connection: psycopg.Connection, judging: Judging) -> UUID:
    """Draw a rejected and a passed job, flagged alike."""
    for is_prohibited in (True, False):
        job_id = insert_job(connection, is_prohibited=is_prohibited, prompt="a prompt", reason=RULE)
        insert_log(connection, job_id, category_nsfw=True)
    return draw_sample(databases, COMMAND_LINE, april(), Plan("April", 2), judging)


def press(app: AppTest, key: str) -> AppTest:
    """Press the button of this showing of a job."""
    [found] = [item for item in app.button if str(item.key).startswith(key)]
    return found.click().run()


def verdicts(connection: psycopg.Connection) -> dict[bool, str]:
    return dict(connection.execute("SELECT is_prohibited, verdict FROM reviews WHERE superseded_at IS NULL").fetchall())


def test_a_blind_reviewer_sees_no_decision_and_judges_by_what_should_be(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Decision, reason, categories and logs show for neither job; rejecting both agrees with one and overturns one."""
    sample_id = draw(databases, connection, Judging())
    app = open_page("quality", sample=str(sample_id), judge="true")

    press(app, "start_")
    assert "Prompt and reason are hidden: all texts are here, so that none tells what was decided." in texts(app)
    seen = []
    for _ in range(2):
        press(app, "reveal_")
        seen.append(texts(app))
        press(app, "verdict_reject")

    for said in seen:
        assert "a prompt" in said
        assert "? Decision hidden" in said
        assert [told for told in ("✕ Rejected", "✓ Passed", RULE, "● Yes", "Moderation log") if told in said] == []
    assert verdicts(connection) == {True: "agree", False: "overturn"}
    assert "Nothing is left for you in this sample." in texts(app)
    # What is next is the answer, and nothing can be started any more.
    assert [item.label for item in app.button if str(item.key).startswith(("start_", "read_"))] == ["Read the answer"]
    press(app, "read_answer")
    assert "judge" not in app.query_params


def test_who_has_judged_sees_what_was_decided(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """A job that one has judged shows its decision when it is opened again, and the usual verdicts."""
    sample_id = draw(databases, connection, Judging())
    app = open_page("quality", sample=str(sample_id), judge="true")
    press(app, "start_")
    job = app.query_params["job"]
    press(app, "reveal_")
    press(app, "verdict_pass")

    app = open_page("quality", sample=str(sample_id), judge="true", job=job[0] if isinstance(job, list) else job)

    assert "? Decision hidden" not in texts(app)
    assert [str(item.key)[:14] for item in app.button if str(item.key).startswith("verdict_a")] == ["verdict_agree_"]


def test_an_open_sample_shows_the_decision(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Where the sample is not blind the job looks as everywhere, and so do the verdicts."""
    sample_id = draw(databases, connection, Judging(is_blind=False))
    app = open_page("quality", sample=str(sample_id), judge="true")

    press(app, "start_")

    assert "? Decision hidden" not in texts(app)
    press(app, "reveal_")
    press(app, "verdict_agree")
    assert list(verdicts(connection).values()) == ["agree"]


def test_categories_are_asked_for_where_the_sample_needs_them(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Without them nothing is recorded and the page says why."""
    sample_id = draw(databases, connection, Judging(needs_categories=True))
    app = open_page("quality", sample=str(sample_id), judge="true")
    press(app, "start_")

    press(app, "reveal_")
    press(app, "verdict_reject")

    assert [error.value for error in app.error] == [
        "Choose the categories that the job should have, or “None of them”."
    ]
    assert verdicts(connection) == {}


def test_the_reviews_page_leads_to_the_samples_that_one_may_judge(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """A sample is named with what is left of it; one in which one does not take part is not, and refuses."""
    mine = draw(databases, connection, Judging())
    others = draw_sample(databases, COMMAND_LINE, april(), Plan("others'", 2), Judging(people=("user:ann",)))

    app = open_page("reviews")
    refused = open_page("quality", sample=str(others), judge="true")

    links = [(link.proto.label, link.proto.query_string) for link in app.get("page_link")]
    assert [query for label, query in links if "sample=" in query] == [f"sample={mine}&judge=true"]
    assert "April" in texts(app)
    assert "You do not take part in this sample: ask who has drawn it." in texts(refused)


def test_each_key_that_stands_on_a_button_presses_it(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """The keyboard hears it before Streamlit does, and looks for a button of the names that it knows."""
    sample_id = draw(databases, connection, Judging())
    app = open_page("quality", sample=str(sample_id), judge="true")
    entrance = {item.proto.shortcut: str(item.key) for item in app.button if item.proto.shortcut}
    press(app, "start_")
    job = {item.proto.shortcut: str(item.key) for item in app.button if item.proto.shortcut}

    assert set(entrance) == {"j"}
    assert set(job) >= {"j", "x", "p", "n", "e", "v", "escape"}
    for shortcut, key in (*entrance.items(), *job.items()):
        assert [start for start, _ in CONTROLS[shortcut] if key.startswith(start)], (shortcut, key)
