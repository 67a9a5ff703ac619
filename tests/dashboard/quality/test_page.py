"""The page of quality, the dialog that leads to it, and what can be taken away, as somebody uses them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE, DEMO_PERSON, STAFF_SCOPES, Actor, Scope
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
from core.gold.turns import read_rate
from core.jobs.strata import Stratification
from core.jobs.wall import Wall
from core.quality.samples import Plan, draw_sample, find_sample, list_samples
from core.review.verdicts import Verdict
from core.settings import Settings
from tests.api.test_downloads import OFFICE, Door
from tests.core.audit.test_events import events
from tests.core.quality.test_answers import ANN, judge
from tests.core.quality.test_errors import meet_known
from tests.dashboard.quality.conftest import OpenPage, texts
from tests.support.documents import APRIL, april
from tests.support.rows import NOON, insert_job


@pytest.fixture
def sample(databases: Databases, connection: psycopg.Connection) -> UUID:
    """Ten rejections for two reasons, all drawn and judged: the first reason's are wrong, and one more is unclear."""
    plan = Plan("April", 20, by=(Stratification.DECISION, Stratification.REASON), seed=7)
    ids = [
        insert_job(connection, is_prohibited=True, reason="list 7" if number < 4 else "list 8", created_at=NOON)
        for number in range(10)
    ]
    sample_id = draw_sample(databases, COMMAND_LINE, april(), plan)
    for number, job_id in enumerate(ids):
        verdict = Verdict.OVERTURN if number < 4 else Verdict.UNSURE if number == 9 else Verdict.AGREE
        judge(databases, ANN, job_id, verdict)
    return sample_id


def test_figures_stand_with_their_intervals_and_their_jobs(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection, sample: UUID
) -> None:
    """40 % to 50 % are wrong, all of one reason; the links hold the ids of the wrong and of the unclear jobs."""
    app = open_page("quality", sample=str(sample))

    said = texts(app)
    assert "10 jobs of 10, by chance from 2 kinds by decision and reason; seed 7." in said
    assert "10 of 10 opinions" in said
    assert [(one.label, one.value) for one in app.metric[:2]] == [
        ("Rejections that are wrong", "40.0% to 50.0%"),
        ("Passes that should have been rejected", "–"),
    ]
    assert "This sample does not say: the sample has no such jobs." in said
    wrong = {row[0] for row in connection.execute("SELECT job_id FROM reviews WHERE verdict = 'overturn'")}
    links = [link for link in app.get("page_link") if link.proto.label == "Show what is wrong: 4 jobs"]
    opened = parse_qs(links[0].proto.query_string)
    assert {UUID(one) for one in opened["job_id"][0].split(",")} == wrong
    assert opened["from"] == ["2026-04-01T00:00:00Z"]
    (by_reason, *_) = (frame.value for frame in app.dataframe)
    assert list(by_reason["Jobs"]) == ["Rejected, “list 8”", "Rejected, “list 7”"]
    assert list(by_reason["Wrong"]) == ["0.0% to 16.7%", "100.0%"]
    assert events(connection)[-1]["event"] == "quality-viewed"


def test_a_sample_is_held_against_the_one_before(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection, sample: UUID
) -> None:
    """A later sample of which nothing is wrong differs by more than chance; another one can be chosen."""
    for number in range(10):
        insert_job(connection, is_prohibited=True, created_at=NOON + timedelta(days=1, seconds=number))
    params = APRIL | {"from": "2026-04-16T00:00:00Z"}
    later_id = draw_sample(databases, COMMAND_LINE, april(**params), Plan("later", 20))
    for row in connection.execute("SELECT job_id FROM sample_jobs WHERE sample_id = %s", (later_id,)).fetchall():
        judge(databases, ANN, row[0], Verdict.AGREE)

    app = open_page("quality", sample=str(later_id))

    assert app.selectbox(key="quality_other").value == sample
    assert "Against the other sample -50.0 to -40.0 points (-50.0 to -40.0): more than chance." in texts(app)


def test_jobs_that_are_gone_are_said(open_page: OpenPage, databases: Databases, connection: psycopg.Connection) -> None:
    """A drawn job that was deleted before anybody judged it is told, and is not replaced."""
    gone, _ = (insert_job(connection, is_prohibited=True) for _ in range(2))
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 2))
    connection.execute("DELETE FROM jobs WHERE job_id = %s", (gone,))

    app = open_page("quality", sample=str(sample_id))

    assert [warning.value for warning in app.warning] == [
        "1 drawn job is gone, and not replaced: the figures are for the others."
    ]
    said = texts(app)
    assert "0 of 1 opinion." in said
    assert "No job of this sample is judged yet." in said
    assert "This sample does not tell jobs apart by client: draw one that does." not in said


# A dialog is open in each run of this script; of a page it would only be in the run of the click.
DIALOG = """
import streamlit as st
from dashboard.samples.draw_dialog import draw_dialog
from tests.support.documents import april
def dialog():
    draw_dialog(april(client_id="acme", decision="reject", spreadsheet_safe="true"))
st.navigation([st.Page(dialog, default=True), st.Page("quality/page.py", url_path="quality")]).run()
"""


@pytest.fixture
def dialog(open_page: OpenPage, tmp_path: Path) -> AppTest:
    """The dialog for the rejected jobs of one client in April."""
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "page.py").write_text("import streamlit as st\nst.write(st.query_params.to_dict())\n")
    (tmp_path / "main.py").write_text(DIALOG)
    return AppTest.from_file(str(tmp_path / "main.py"), default_timeout=60).run()


@pytest.mark.parametrize("page", ["jobs", "categories"])
def test_a_page_leads_to_a_sample_of_what_it_shows(
    open_page: OpenPage, connection: psycopg.Connection, page: str
) -> None:
    """The dialog names the filter of the page, and rejected as well as passed jobs."""
    app = open_page(page, **APRIL, client_id="acme", decision="reject")

    app.button(key="draw_sample").click().run()

    assert "Rejected or passed jobs of client “acme” from 1 Apr 2026 00:00" in texts(app)
    assert app.number_input(key="sample_size").value == 600


def test_a_sample_is_drawn_as_it_was_asked_for(
    dialog: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """It is of the filter's jobs, rejected and passed, with its name and the way of judging it."""
    for number in range(6):
        insert_job(connection, is_prohibited=number < 3)
        insert_job(connection, is_prohibited=True, client_id="other")

    dialog.text_input(key="sample_name").set_value("all of acme").run()
    dialog.number_input(key="sample_opinions").set_value(2).run()
    dialog.toggle(key="sample_blind").set_value(False).run()
    dialog.button(key="sample_draw").click().run()

    (drawn,) = list_samples(databases, Wall(None))
    assert (drawn.name, drawn.drawn_by, drawn.opinions, drawn.is_blind) == ("all of acme", "user:demo", 2, False)
    assert drawn.strata == ["decision", "reason"]
    assert drawn.filter == april(client_id="acme", decision="reject,pass").to_params()
    clients = connection.execute("SELECT client_id, is_prohibited, count(*) FROM sample_jobs GROUP BY 1, 2").fetchall()
    assert sorted(clients) == [("acme", False, 3), ("acme", True, 3)]


def test_what_cannot_be_drawn_is_said_in_the_dialog(
    dialog: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """Where no decided job matches the dialog says so, and nothing is drawn."""
    insert_job(connection, is_prohibited=None)

    dialog.button(key="sample_draw").click().run()

    assert "No decided job matches: choose other jobs." in [text.value for text in dialog.text]
    assert list_samples(databases, Wall(None)) == []


EDIT = """
from core.jobs.wall import Wall
from core.quality.samples import list_samples
from dashboard.quality.edit_dialog import edit_dialog
from dashboard.session.resources import get_resources
edit_dialog(list_samples(get_resources().databases, Wall(None))[0])
"""


def test_people_and_last_day_are_changed_on_the_page(
    open_page: OpenPage, databases: Databases, sample: UUID, tmp_path: Path
) -> None:
    """The page offers it; what cannot be is said, and what is saved counts."""
    offered = [button.key for button in open_page("quality", sample=str(sample)).button]
    (tmp_path / "edit.py").write_text(EDIT)
    app = AppTest.from_file(str(tmp_path / "edit.py"), default_timeout=60).run()
    day, tomorrow = app.date_input(key=f"edit_{sample}_last"), datetime.now(UTC).date() + timedelta(days=1)

    day.set_value(NOON.date()).run()
    app.button(key="sample_edit").click().run()
    refused = texts(app)
    day.set_value(tomorrow).run()
    app.button(key="sample_edit").click().run()

    assert "edit_sample" in offered
    assert "The last day is over: choose today or a later one." in refused
    found = find_sample(databases, Wall(None), sample)
    assert found is not None
    assert (found.people, found.last_day) == (None, tomorrow)


def ticket(sample_id: UUID) -> str:
    return urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.SAMPLE, DEMO_PERSON.name, sample_id), browser="browser-1")}
    )


def test_the_file_is_for_those_who_export_and_the_report_for_those_who_read(
    databases: Databases, settings: Settings, connection: psycopg.Connection, sample: UUID
) -> None:
    """The file has each drawn job; the report has the figures, runs nothing, and what others wrote is text in it."""
    connection.execute("UPDATE samples SET name = '<b>April</b>'")
    door = Door(databases, settings)
    door.person = Actor(DEMO_PERSON.name, Wall(None), STAFF_SCOPES)

    file, report = (door.get(ticket(sample), path=path) for path in (SAMPLE_PATH, REPORT_PATH))

    assert file[0] == 200
    assert file[2].count(b"\n") == 11
    assert report[0] == 200
    assert "default-src 'none'" in report[1]["content-security-policy"]
    body = report[2].decode()
    assert "<h1>&lt;b&gt;April&lt;/b&gt;</h1>" in body
    assert "<td>Rejections that are wrong</td><td>40.0% to 50.0%</td><td>40.0% to 50.0%</td>" in body
    assert "<td>Whether to reject</td><td>–</td><td>–</td><td>0</td><td>0</td>" in body
    assert [one["event"] for one in events(connection)[-2:]] == ["sample-exported", "quality-viewed"]


def test_reviewers_errors_are_said_beside_the_figures(
    open_page: OpenPage, databases: Databases, settings: Settings, connection: psycopg.Connection, sample: UUID
) -> None:
    """That nothing is known of them, or each figure without them: to an admin, and to nobody else where one judged."""
    unknown = texts(open_page("quality", sample=str(sample)))
    for should_reject in (True, False):
        meet_known(connection, ANN, should_reject, right=36, wrong=4)

    known = texts(open_page("quality", sample=str(sample)))
    door = Door(databases, settings)
    door.person = DEMO_PERSON
    report = door.get(ticket(sample), path=REPORT_PATH)[2].decode()
    door.person = Actor(DEMO_PERSON.name, Wall(None), STAFF_SCOPES)
    of_other = door.get(ticket(sample), path=REPORT_PATH)[2].decode()

    assert "Intervals are of chance in drawing alone. How often reviewers err is not known" in unknown
    assert "On known jobs those who have judged this passed 10.0%" in known
    assert "Corrected for reviewers' errors 37.5% to 50.0% (with 95 % between" in known
    assert "Rejections that are wrong: Corrected for reviewers&#x27; errors 37.5% to 50.0%" in report
    assert "is told to admins alone" in of_other
    assert "Corrected" not in of_other


def test_a_ticket_of_a_sample_opens_nothing_else(
    databases: Databases, settings: Settings, connection: psycopg.Connection, sample: UUID
) -> None:
    """It is refused elsewhere; behind another wall the sample is not there; without the scope it is refused."""
    door = Door(databases, settings)

    assert [door.get(ticket(sample), path=path)[0] for path in (DOWNLOAD_PATH, AUDIT_PATH, REVIEWS_PATH)] == [403] * 3
    door.person = Actor(DEMO_PERSON.name, Wall("other"), STAFF_SCOPES)
    assert [door.get(ticket(sample), path=path)[0] for path in (SAMPLE_PATH, REPORT_PATH)] == [404] * 2
    door.person = Actor(DEMO_PERSON.name, Wall(None), frozenset({Scope.JOB_READ}))
    assert [door.get(ticket(sample), path=path)[0] for path in (SAMPLE_PATH, REPORT_PATH)] == [403, 200]
    door.person = Actor(DEMO_PERSON.name, Wall(None), frozenset({Scope.ADMIN_CONFIG}))
    assert [door.get(ticket(sample), path=path)[0] for path in (SAMPLE_PATH, REPORT_PATH)] == [403] * 2
    assert find_sample(databases, Wall(None), sample) is not None


def test_people_see_how_often_they_are_right_and_admins_see_all(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """One's own figure with its interval and what was wrong; all people, a drop, and the share for admins alone."""
    app = open_page("quality")
    assert "Nobody has been given such a job yet." in texts(app)
    connection.execute(
        "INSERT INTO gold_answers SELECT gen_random_uuid(), 'acme', '2026-04-15Z', true FROM generate_series(1, 100)"
    )
    for person, right in (("user:demo", "n <> 1"), ("user:ben", "n > 20")):
        connection.execute(
            "INSERT INTO gold_turns (person, job_id, should_reject, verdict, is_right, judged_at)"
            " SELECT %s, job_id, true, 'agree', " + right + ", now() - n * interval '1 hour'"
            " FROM (SELECT job_id, row_number() OVER (ORDER BY job_id) AS n FROM gold_answers) AS numbered",
            [person],
        )

    app.run()
    said = texts(app)
    frames = {next(iter(frame.value.columns)): frame.value for frame in app.dataframe}
    app.number_input(key="known_share").set_value(12.5).run()

    assert "Your verdicts on such jobs: 99 of 100 are right (99.0%, with 95 % between 95.4% and 99.9%)." in said
    assert frames["When"]["You said"].tolist() == ["Pass (agree)"]
    assert frames["Person"]["Person"].tolist() == ["user:ben", "user:demo"]
    assert frames["Person"]["Drop"].tolist() == ["↓ more than chance", "✓ no more than chance"]
    assert "The verdicts of one person have become worse by more than chance: talk to them." in said
    assert read_rate(databases.ours) == 0.125


def test_a_share_that_was_not_saved_is_not_shown(
    open_page: OpenPage, databases: Databases, connection: psycopg.Connection
) -> None:
    """Once the database answers again the field says what counts, and not what somebody chose meanwhile."""
    app = open_page("quality")
    app.number_input(key="known_share").set_value(12.5)
    connection.execute("ALTER TABLE gold_settings RENAME TO elsewhere")
    app.run()
    connection.execute("ALTER TABLE elsewhere RENAME TO gold_settings")
    app.run()

    assert (app.number_input(key="known_share").value, read_rate(databases.ours)) == (0.0, 0.0)
