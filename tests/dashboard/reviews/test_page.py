"""The page of reviews, and the review beside a job, run as Streamlit runs them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button, ButtonGroup, Checkbox, TextArea

from core.actor import DEMO_PERSON
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.errors import DatabaseUnavailable
from core.gold.turns import set_rate
from core.jobs.filter import Category
from core.jobs.job import find_job
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.dashboard.jobs.test_page import APRIL, address, rendered, shown
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.waiting import wait_for

# The link to the other page needs both to stand beside the script.
MAIN = """
import streamlit as st
st.navigation([st.Page("reviews/page.py", default=True), st.Page("jobs/page.py", url_path="jobs")]).run()
"""

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OpenPage:
    """Open the page of reviews at an address, as the demo person."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "url", property(lambda _: "http://localhost:3051/"))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    for name in ("jobs", "reviews"):
        (tmp_path / name).mkdir()
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "jobs" / "page.py").write_text("")
    page = ROOT / "dashboard" / "reviews" / "page.py"
    (tmp_path / "reviews" / "page.py").write_text(f"import runpy\nrunpy.run_path({str(page)!r})\n")

    def open_at(**params: str) -> AppTest:
        app = AppTest.from_file(str(tmp_path / "main.py"), default_timeout=60)
        for name, value in (APRIL | params).items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return open_at


def button(app: AppTest, name: str) -> Button:
    """Return the button of this showing of a job."""
    [found] = [item for item in app.button if str(item.key).startswith(name)]
    return found


def judge(app: AppTest, verdict: str) -> None:
    """Reveal the text where it is hidden, and give a verdict."""
    if any(str(item.key).startswith("reveal_") for item in app.button):
        button(app, "reveal").click().run()
    button(app, f"verdict_{verdict}").click().run()


def pills(app: AppTest) -> ButtonGroup[str]:
    """Return the categories that one would set."""
    [found] = [item for item in app.pills if str(item.key).startswith("review_categories_")]
    return found


def note(app: AppTest) -> TextArea:
    """Return the field of the note."""
    [found] = [item for item in app.text_area if str(item.key).startswith("review_note_")]
    return found


def everything(app: AppTest) -> Checkbox:
    """Return the box that gives a verdict to all jobs with the prompt."""
    [found] = [item for item in app.checkbox if str(item.key).startswith("review_all_")]
    return found


def verdicts(connection: psycopg.Connection) -> list[tuple[str, str | None]]:
    return connection.execute(
        "SELECT verdict, note FROM reviews WHERE superseded_at IS NULL ORDER BY review_id"
    ).fetchall()


def test_three_jobs_one_after_the_other(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Start gives the newest job, each verdict gives the next one, and at the end it is said."""
    ids = [
        str(insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number)))
        for number in range(3)
    ]

    app = open_page()
    button(app, "start").click().run()
    seen = []
    for verdict in ("agree", "overturn", "unsure"):
        seen.append(address(app)["job"])
        judge(app, verdict)

    assert seen == ids
    assert verdicts(connection) == [("agree", None), ("overturn", None), ("unsure", None)]
    assert "Nothing is left in this queue for this filter." in rendered(app)
    assert "job" not in address(app)


def test_a_verdict_without_the_text_asks_first(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Nothing is recorded before it is confirmed; then the verdict says so, here, in the audit and for colleagues."""
    job_id = insert_job(connection, is_prohibited=True)
    app = open_page(job=str(job_id))

    button(app, "verdict_agree").click().run()
    before = verdicts(connection)
    said = rendered(app)
    button(app, "give_unseen").click().run()

    assert before == []
    assert "A verdict without it is marked as such." in said
    assert verdicts(connection) == [("agree", None)]
    assert connection.execute("SELECT saw_text FROM reviews").fetchall() == [(False,)]
    events = "SELECT details -> 'text' FROM audit_events WHERE event = 'reviewed'"
    assert connection.execute(events).fetchall() == [(False,)]
    assert "without having seen the text" in shown(open_page(job=str(job_id)))


def test_a_text_that_was_shown_is_seen(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Revealed and hidden again, or never hidden, it is seen; in another look at the job it is not."""
    hidden, plain = insert_job(connection, is_prohibited=True), insert_job(connection, is_prohibited=False)
    insert_log(connection, plain)
    app = open_page(job=str(hidden))
    button(app, "reveal").click().run()
    button(app, "hide").click().run()
    button(app, "verdict_agree").click().run()
    app = open_page(job=str(plain), decision="pass")
    judge(app, "overturn")
    app = open_page(job=str(hidden))

    button(app, "verdict_unsure").click().run()
    button(app, "show_unseen").click().run()

    assert connection.execute("SELECT verdict, saw_text FROM reviews ORDER BY review_id").fetchall() == [
        ("agree", True),
        ("overturn", True),
    ]
    assert not [item for item in app.button if str(item.key).startswith(("give_unseen_", "reveal_"))]


def test_back_to_the_job_before_and_on_again(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """K leads back over judged and skipped jobs, J on over the same; how far one is says what was done."""
    ids = [
        str(insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number)))
        for number in range(4)
    ]
    app = open_page()
    button(app, "start").click().run()
    judge(app, "agree")
    button(app, "skip").click().run()
    seen = [address(app)["job"]]
    far = shown(app)
    for key in ("back", "back", "skip", "skip", "skip"):
        button(app, key).click().run()
        seen.append(address(app)["job"])
    button(app, "back").click().run()
    judge(app, "overturn")

    assert seen == [ids[place] for place in (2, 1, 0, 1, 2, 3)]
    assert "1 of 4 · 1 skipped" in far
    assert address(app)["job"] == ids[3]
    assert "2 of 4 · 1 skipped" in shown(app)
    assert button(app, "back")
    assert connection.execute("SELECT job_id::text FROM reviews ORDER BY review_id").fetchall() == [
        (ids[0],),
        (ids[2],),
    ]


def test_each_queue_says_what_it_holds(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """The numbers are of the filter, and go down with one's verdicts; where it takes too long nothing is said."""
    for number in range(3):
        job_id = insert_job(connection, is_prohibited=number < 2)
        connection.execute(
            """
            INSERT INTO reviews
                (act_id, person, job_id, client_id, job_created_at, is_prohibited, evaluated, verdict)
            VALUES (gen_random_uuid(), 'user:other', %s, 'acme', %s, true, false, 'overturn')
            """,
            (job_id, NOON),
        )
    for _ in range(2):
        insert_job(connection, is_prohibited=True)
    insert_job(connection, is_prohibited=None)

    app = open_page(decision="reject")
    before = app.radio(key="queue").proto.captions[:]
    button(app, "start").click().run()
    judge(app, "agree")

    assert list(before) == ["2 jobs", "2 jobs", "0 jobs", "0 jobs"]
    assert list(app.radio(key="queue").proto.captions) == ["1 job", "2 jobs", "0 jobs", "0 jobs"]


def test_none_of_the_categories_puts_the_others_out(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """What was pressed last counts: none of them, or a category."""
    job_id = insert_job(connection, is_prohibited=True)
    app = open_page(job=str(job_id))

    chosen = []
    for value in (["nsfw"], ["nsfw", "none"], ["none", "underage"]):
        pills(app).set_value(value).run()
        chosen.append(pills(app).value)

    assert chosen == [["nsfw"], ["none"], ["underage"]]


def test_an_escalation_asks_for_a_note(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Without a note nothing is recorded and the page says why; the note survives, and then it is."""
    job_id = insert_job(connection, is_prohibited=True)

    app = open_page(job=str(job_id))
    judge(app, "escalate")
    refused = [error.value for error in app.error]
    note(app).set_value("please look").run()
    app = open_page(job=str(job_id))
    draft = note(app).value
    judge(app, "escalate")

    assert refused == ["Say in a note why somebody else should look at this job."]
    assert draft == "please look"
    assert verdicts(connection) == [("escalate", "please look")]


def test_take_back_returns_to_the_job(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """U takes the last verdict back and shows its job again."""
    ids = [
        str(insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number)))
        for number in range(2)
    ]

    app = open_page()
    button(app, "start").click().run()
    judge(app, "agree")
    assert address(app)["job"] == ids[1]
    button(app, "take_back").click().run()

    assert address(app)["job"] == ids[0]
    assert verdicts(connection) == []


def test_each_act_is_taken_back_in_turn(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """U twice takes back the last two verdicts, the last one first, each back at its job with its note."""
    ids = [
        str(insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number)))
        for number in range(3)
    ]
    app = open_page()
    button(app, "start").click().run()
    note(app).set_value("the first note").run()
    judge(app, "agree")
    judge(app, "overturn")

    button(app, "take_back").click().run()
    after_one = (address(app)["job"], verdicts(connection))
    button(app, "take_back").click().run()

    assert after_one == (ids[1], [("agree", "the first note")])
    assert (address(app)["job"], verdicts(connection)) == (ids[0], [])
    assert note(app).value == "the first note"
    assert button(app, "take_back").disabled


def come_back_to_a_verdict(open_page: OpenPage, connection: psycopg.Connection) -> AppTest:
    """Judge a job with a category and a note, and open it in another session."""
    job_id = insert_job(connection, is_prohibited=True)
    app = open_page(job=str(job_id), queue="escalated")
    pills(app).set_value(["nsfw"]).run()
    note(app).set_value("a note").run()
    judge(app, "agree")
    return open_page(job=str(job_id))


def test_an_earlier_verdict_is_changed_or_taken_back(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Who comes back to a job finds what they said in the fields, and may withdraw it in another session, too."""
    app = come_back_to_a_verdict(open_page, connection)
    filled = (note(app).value, pills(app).value)
    button(app, "take_back").click().run()

    assert filled == ("a note", ["nsfw"])
    assert verdicts(connection) == []


def test_a_browser_that_draws_a_field_late_shows_what_it_holds(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """It may know only of a later run by then, because it loads what draws the field: that run says it as well."""
    app = come_back_to_a_verdict(open_page, connection)
    app.run()

    assert note(app).proto.default == "a note"
    assert [pills(app).proto.options[place].content for place in pills(app).proto.default] == ["NSFW"]


def test_stopping_leaves_the_job_to_others(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Only a decided job that there is gets kept for somebody, and only until they stop."""
    undecided = insert_job(connection, is_prohibited=None)
    job_id = insert_job(connection, is_prohibited=True)
    held = "SELECT job_id FROM review_claims WHERE ends_at > now()"

    said = rendered(open_page(job=str(undecided)))
    open_page(job="0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d")
    before = connection.execute(held).fetchall()
    app = open_page(job=str(job_id))
    open_at = connection.execute(held).fetchall()
    button(app, "stop").click().run()

    assert "This job is not decided yet, so there is nothing to review." in said
    assert (before, open_at, connection.execute(held).fetchall()) == ([], [(job_id,)], [])


def test_whoever_comes_second_is_told(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A link to a job that somebody else is at opens it, with a warning."""
    job_id = insert_job(connection, is_prohibited=True)
    connection.execute("INSERT INTO review_claims VALUES (%s, 'user:other', now() + interval '1 minute')", (job_id,))

    app = open_page(job=str(job_id))

    assert "Somebody else is on this job: skip it, or expect two reviews." in [item.value for item in app.warning]


def test_all_with_the_same_prompt(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """The number is said beforehand, and the one verdict is recorded for each."""
    for _ in range(3):
        job_id = insert_job(connection, is_prohibited=True, prompt="the same")
        insert_log(connection, job_id)

    app = open_page(job=str(job_id))
    box = everything(app)
    assert box.label == "Apply to all 3 jobs with this same prompt that I have not reviewed"
    box.check().run()
    judge(app, "agree")

    assert verdicts(connection) == [("agree", None)] * 3


def test_all_means_what_one_has_not_reviewed(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """The number leaves out what one reviewed before; what was decided the other way is said; U undoes all of it."""
    ids = [insert_job(connection, is_prohibited=number != 1, prompt="the same " * 100_000) for number in range(4)]
    app = open_page(job=str(ids[0]))
    judge(app, "unsure")

    app = open_page(job=str(ids[1]))
    box = everything(app)
    label, said = box.label, rendered(app)
    box.check().run()
    judge(app, "agree")
    applied = sorted(verdicts(connection))
    button(app, "take_back").click().run()

    assert label == "Apply to all 3 jobs with this same prompt that I have not reviewed"
    assert "2 of them were decided the other way." in said
    assert applied == [("agree", None)] * 3 + [("unsure", None)]
    assert verdicts(connection) == [("unsure", None)]


def test_others_are_shown_after_ones_own_as_text(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A colleague's note is not sent before, and is text afterwards."""
    job_id = insert_job(connection, is_prohibited=True)
    connection.execute(
        """
        INSERT INTO reviews (act_id, person, job_id, client_id, job_created_at, is_prohibited, evaluated, verdict, note)
        VALUES (gen_random_uuid(), 'user:other', %s, 'acme', %s, true, false, 'overturn', '**bold** :material/home:')
        """,
        (job_id, NOON),
    )

    app = open_page(job=str(job_id), queue="disagreed")
    before = shown(app) + rendered(app)
    judge(app, "agree")
    app = open_page(job=str(job_id))

    assert "bold" not in before
    assert "**bold** :material/home:" in shown(app)
    assert "bold" not in rendered(app)


@pytest.mark.parametrize("query", [{"queue": "odd"}, {"sampled": "perhaps"}, {"bad": "x"}])
def test_a_wrong_address_gets_a_sentence(open_page: OpenPage, query: dict[str, str]) -> None:
    """What is wrong with an address is said, and the page works."""
    app = open_page(**query)

    assert "This address is not valid" in rendered(app)
    assert button(app, "start")


def test_a_verdict_in_another_window_is_not_replaced_without_a_word(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """The second window is told, shows what counts and keeps what was chosen there; pressed again it replaces it."""
    job_id = insert_job(connection, is_prohibited=True)
    first, second = open_page(job=str(job_id)), open_page(job=str(job_id))
    judge(first, "agree")

    note(second).set_value("the opposite").run()
    judge(second, "overturn")
    told, shown = [error.value for error in second.error], [text.value for text in second.text]
    before = verdicts(connection)
    kept = note(second).value
    # Whoever loads that window anew is told as much, and no other cause.
    again = [error.value for error in open_page(job=str(job_id)).error]
    judge(second, "overturn")

    assert again == ["Your verdict “Overturn” on this job was not recorded: give it again if it still holds."]
    assert told == [
        "Your verdict on this job has changed in another window meanwhile, and what counts now is shown here: go on, "
        "or give this one all the same to replace it."
    ]
    assert any(text.startswith("You: agree") for text in shown)
    assert kept == "the opposite"
    assert before == [("agree", None)]
    assert verdicts(connection) == [("overturn", "the opposite")]


def test_a_verdict_that_was_taken_back_in_another_window_is_told(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Also what does not count any more is no silent beginning of another verdict."""
    job_id = insert_job(connection, is_prohibited=True)
    first = open_page(job=str(job_id))
    judge(first, "agree")
    second = open_page(job=str(job_id))
    button(first, "take_back").click().run()

    judge(second, "overturn")

    assert [error.value.split(",")[0] for error in second.error] == [
        "Your verdict on this job has changed in another window meanwhile"
    ]
    assert verdicts(connection) == []


def test_a_verdict_that_waited_when_the_server_was_stopped_is_told(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Its note and its categories are there again with a sentence; once it was given again nothing is said any more."""
    job_id = insert_job(connection, is_prohibited=True)
    with databases.source.transaction() as source:
        job = find_job(source, job_id, DEMO_PERSON.wall)
    assert job is not None
    review = Review(Verdict.OVERTURN, frozenset({Category.NSFW}), "half an hour's work")
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE reviews")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(record_review, databases, DEMO_PERSON, [job], review)
        stuck = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        wait_for(lambda: connection.execute(stuck, ("reviews",)).fetchone() != (0,), "the verdict")
        assert isinstance(waiting.exception(), DatabaseUnavailable)
    connection.execute("COMMIT")

    app = open_page(job=str(job_id))
    told, kept = [error.value for error in app.error], note(app).value
    judge(app, "overturn")
    later = open_page(job=str(job_id))

    assert told == ["Your verdict “Overturn” on this job was not recorded: give it again if it still holds."]
    assert kept == "half an hour's work"
    assert verdicts(connection) == [("overturn", kept)]
    assert connection.execute("SELECT categories FROM reviews").fetchall() == [(["nsfw"],)]
    assert not later.error


def test_a_known_job_looks_like_any_other_and_is_no_review(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """It comes among others, with nothing of what was said before; the verdict is kept apart, and can be taken back."""
    set_rate(databases, DEMO_PERSON, 0.5)
    job_id = insert_job(connection, is_prohibited=True, prompt="twice")
    for person, verdict in (("ann", Verdict.AGREE), ("ben", Verdict.OVERTURN), ("cy", Verdict.OVERTURN)):
        by = replace(DEMO_PERSON, name=f"user:{person}", scopes=frozenset())
        with databases.source.transaction() as asking:
            found = find_job(asking, job_id, by.wall)
        assert found is not None
        record_review(databases, by, [found], Review(verdict, note="said before"))
    before = verdicts(connection)
    other = insert_job(connection, is_prohibited=True, prompt="twice")
    ordinary = open_page(job=str(other))
    # Somebody else has it by now, so that it is the known one's turn.
    connection.execute("UPDATE review_claims SET person = 'user:ann'")

    app = open_page()
    for _ in range(60):
        if "job" not in address(app):
            button(app, "start").click().run()
    assert address(app)["job"] == str(job_id)
    assert "said before" not in rendered(app)
    assert [box.label for box in app.checkbox] == [box.label for box in ordinary.checkbox]
    assert [caption.value for caption in app.caption] == [caption.value for caption in ordinary.caption]
    for state, press in (
        ([("overturn", True)], lambda: judge(app, "overturn")),
        ([(None, None)], lambda: button(app, "take_back").click().run()),
        ([("agree", False)], lambda: judge(app, "agree")),
    ):
        press()
        assert not app.exception
        assert connection.execute("SELECT verdict, is_right FROM gold_turns").fetchall() == state

    assert verdicts(connection) == before
