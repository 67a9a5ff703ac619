"""The page of the policy, its dialogs, and the part that stands beside a job, as somebody uses them."""

from pathlib import Path

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.policy.texts import GENERAL, Kind, Subject, let_count, read_policy, write_policy
from core.quality.samples import Judging, Plan, draw_sample
from dashboard.widgets.written_text import make_plain_markdown
from tests.dashboard.quality.conftest import OpenPage, texts
from tests.dashboard.reviews.test_page import button, judge
from tests.support.documents import APRIL, april
from tests.support.rows import insert_job, insert_log

NSFW, UNDERAGE = (Subject(Kind.CATEGORY, value) for value in ("nsfw", "underage"))
RULE = Subject(Kind.REASON, "Blocked term, list 7")


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests, without what the one before has left."""
    with psycopg.connect(emptied_url) as connection:
        connection.execute("TRUNCATE policies, reviews, samples CASCADE")
    return emptied_url


def write(databases: Databases, subject: Subject, words: str, *, earlier_count: bool = True) -> int:
    return write_policy(databases, COMMAND_LINE, subject, words, earlier_count=earlier_count)


def said_beside(app: AppTest) -> list[str]:
    """Return what the policy says beside the open job."""
    return [markdown.value for expander in app.expander for markdown in expander.markdown]


DIALOG = """
import streamlit as st
from core.policy.texts import GENERAL
from dashboard.policy.edit_dialog import edit_dialog
from dashboard.policy.history_dialog import history_dialog
st.button("again")
(edit_dialog(GENERAL, st.session_state.setdefault("begun", {version})) if {editing} else history_dialog(GENERAL))
"""

# One that fails ends no run of its own, in which Streamlit runs it without the script around it.
ALONE = DIALOG.replace(
    "(edit_dialog",
    "import contextlib\nfrom streamlit.errors import FragmentHandledException\n"
    "with contextlib.suppress(FragmentHandledException):\n    (edit_dialog",
)


def open_dialog(folder: Path, *, version: int = 0, editing: bool = True, script: str = DIALOG) -> AppTest:
    """Open a dialog; in this script it is open in each run."""
    (folder / "main.py").write_text(script.format(version=version, editing=editing))
    return AppTest.from_file(str(folder / "main.py"), default_timeout=60).run()


def test_a_text_is_saved_once_it_is_said_what_becomes_of_earlier_verdicts(
    open_page: OpenPage, databases: Databases, tmp_path: Path
) -> None:
    """Without that answer nothing is saved; who began before somebody else has saved is told."""
    app, other = open_dialog(tmp_path), open_dialog(tmp_path)
    for one, words in ((app, "**Reject** what is odd."), (other, "theirs")):
        one.text_area[0].set_value(words).run()
    app.button(key="policy_save").click().run()
    refused = texts(app)
    app.radio[0].set_value(app.radio[0].options[1]).run()
    app.button(key="policy_save").click().run()
    other.radio[0].set_value(other.radio[0].options[0]).run()
    other.button(key="policy_save").click().run()

    assert "Say whether verdicts already given still count." in refused
    row = read_policy(databases.ours).texts[GENERAL]
    assert (row.version, row.text, row.earlier_count) == (1, "**Reject** what is odd.", False)
    assert "Somebody has changed this text meanwhile" in texts(other)
    assert "**Reject** what is odd." in texts(open_page("policy"))


def test_what_is_filled_in_outlives_a_database_that_is_away(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """A dialog that fails before its fields are drawn, and fails again, shows then what they held; it can be saved."""
    app = open_dialog(tmp_path, script=ALONE)
    app.text_area[0].set_value("long words").run()
    app.radio[0].set_value(app.radio[0].options[1]).run()
    connection.execute("ALTER TABLE policies RENAME TO elsewhere")
    app.button(key="policy_save").click().run()
    app.run()
    drawn = len(app.text_area)
    connection.execute("ALTER TABLE elsewhere RENAME TO policies")
    app.run()
    before = read_policy(databases.ours).version
    app.button(key="policy_save").click().run()

    row = read_policy(databases.ours).texts[GENERAL]
    assert (drawn, before) == (0, 0)
    assert (row.version, row.text, row.earlier_count) == (1, "long words", False)


def test_an_admin_lets_earlier_verdicts_count_again(open_page: OpenPage, databases: Databases, tmp_path: Path) -> None:
    """The history has each version, and one press changes what it says of earlier verdicts."""
    write(databases, GENERAL, "first")
    write(databases, GENERAL, "second", earlier_count=False)

    app = open_dialog(tmp_path, editing=False)
    before = texts(app)
    app.button(key="let_count_2").click().run()
    then = [button.key for button in app.button if str(button.key).endswith("_2")]

    assert [word in before for word in ("first", "second", "Version 1", "Version 2")] == [True] * 4
    assert "Verdicts from before this version do not count." in before
    assert read_policy(databases.ours).texts[GENERAL].earlier_count
    # A second press on the same one, before it is drawn anew, undoes nothing.
    assert then == ["leave_out_2"]


def test_what_applies_stands_beside_the_job(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Its reason, its flagged categories and what applies in general; the verdict keeps the version."""
    flagged, plain = insert_job(connection, is_prohibited=True, reason=RULE.value), insert_job(connection)
    insert_log(connection, flagged, category_nsfw=True)
    connection.execute("UPDATE jobs SET is_prohibited = false WHERE job_id = %s", (plain,))
    for subject in (GENERAL, NSFW, UNDERAGE, RULE):
        write(databases, subject, f"on {subject.kind} {subject.value}")

    beside = [
        said_beside(open_page(page, **APRIL, job=str(job_id)))
        for page, job_id in (("jobs", flagged), ("reviews", flagged), ("jobs", plain))
    ]
    app = open_page("reviews", **APRIL, job=str(flagged))
    judge(app, "agree")

    about = [f"on reason {RULE.value}", "on category nsfw", "on general "]
    assert [[one.strip() for one in said] for said in beside] == [[one.strip() for one in about]] * 2 + [["on general"]]
    assert connection.execute("SELECT policy_version FROM reviews").fetchall() == [(4,)]


def test_a_verdict_under_an_old_text_is_asked_for_again(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Where the text changes while a job is open, and earlier verdicts do not count, the new one is shown first."""
    job_id = insert_job(connection, is_prohibited=True, prompt="plain")
    write(databases, GENERAL, "old")
    app = open_page("jobs", **APRIL, job=str(job_id))
    button(app, "reveal").click().run()
    write(databases, GENERAL, "new", earlier_count=False)

    button(app, "verdict_agree").click().run()
    told, beside = [error.value for error in app.error], said_beside(app)
    before = connection.execute("SELECT policy_version FROM reviews").fetchall()
    judge(app, "agree")

    assert told == [
        "The policy was changed while this job was open: read what applies now, and give your verdict again."
    ]
    assert (beside, before) == (["new"], [])
    assert connection.execute("SELECT policy_version FROM reviews").fetchall() == [(2,)]


def test_in_a_blind_room_the_policy_tells_nothing(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """All categories and what applies in general, whatever the job is; what does not count is judged blind again."""
    job_id = insert_job(connection, is_prohibited=True, reason=RULE.value)
    insert_log(connection, job_id, category_nsfw=True)
    for subject in (RULE, UNDERAGE, NSFW, GENERAL):
        write(databases, subject, f"on {subject.kind}")
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 1), Judging())
    place = {"sample": str(sample_id), "judge": "true", "job": str(job_id)}

    app = open_page("quality", **place)
    blind = said_beside(app)
    judge(app, "reject")
    seen = texts(open_page("quality", **place))
    let_count(databases, COMMAND_LINE, write(databases, GENERAL, "new"), earlier_count=False)
    again = texts(open_page("quality", **place))

    assert blind == ["on general", "on category", "on category"]
    assert ("You: agree" in seen, "You: agree" in again, "Decision hidden" in again) == (True, False, True)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("![a](https://example.com/a.png)", "!\u2060[a](https://example.com/a.png)"),
        ("![a][b] and `![a]`", "!\u2060[a][b] and `!\u2060[a]`"),
        ("$5 and $10, `$x$`", r"\$5 and \$10, `$x$`"),
        (
            ":red[a] :material/home: 12:30 https://example.com",
            ":\u2060red[a] :\u2060material/home: 12:30 https://example.com",
        ),
        ("# A\n\n  ## B\n\n```\n# c\n```\n#d", "##### A\n\n  ##### B\n\n```\n# c\n```\n#d"),
    ],
)
def test_a_text_has_no_pictures_and_no_formulas(words: str, shown: str) -> None:
    """What would be fetched or drawn is words; code stays as it is, and headings are small."""
    assert make_plain_markdown(words) == shown
