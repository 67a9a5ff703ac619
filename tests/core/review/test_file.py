"""The reviews as a file, and their figures on the page of categories."""

from urllib.parse import urlencode

import psycopg
import pytest

from core.actor import DEMO_PERSON, Actor, Scope
from core.auth.tickets import AUDIT_PATH, DOWNLOAD_PATH, REVIEWS_PATH, ReviewsTicket
from core.db.databases import Databases
from core.jobs.filter import Category
from core.jobs.wall import Wall
from core.review.statistics import Agreement, OverturnRate
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from dashboard.categories.reviews_section import describe_agreement, describe_rates
from tests.api.test_downloads import OFFICE, Door
from tests.core.audit.test_events import events
from tests.core.review.test_verdicts import ANN, job
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log


@pytest.fixture
def door(databases: Databases, settings: Settings) -> Door:
    return Door(databases, settings)


def reviews_ticket(**params: str) -> str:
    return urlencode({"ticket": OFFICE.issue(ReviewsTicket(DEMO_PERSON.name, april(**params)), browser="browser-1")})


def test_the_file_holds_every_verdict(door: Door, databases: Databases, connection: psycopg.Connection) -> None:
    """Whole document: superseded ones, guarded notes, no categories said and none set; then the event of the file."""
    job_id = insert_job(connection, is_prohibited=True)
    insert_log(connection, job_id, category_nsfw=True, category_underage=None)
    insert_job(connection, is_prohibited=True, client_id="other")
    first = record_review(databases, ANN, [job(databases, job_id)], Review(Verdict.AGREE, frozenset()))
    second = record_review(
        databases,
        ANN,
        [job(databases, job_id)],
        Review(Verdict.OVERTURN, frozenset(Category), '=1, "x"', saw_text=False),
    )
    form = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    times = connection.execute(
        "SELECT to_char(reviewed_at AT TIME ZONE 'UTC', %s), to_char(superseded_at AT TIME ZONE 'UTC', %s)"
        " FROM reviews ORDER BY review_id",
        (form, form),
    ).fetchall()

    status, headers, body = door.get(reviews_ticket(), path=REVIEWS_PATH)

    assert status == 200
    assert headers["content-disposition"].startswith('attachment; filename="reviews_2')
    same = f"user:ann,{job_id},acme,2026-04-15T12:00:00.000000Z,true,true,false,,true"
    assert body.decode() == (
        "\ufeffreview_id,act_id,person,job_id,client_id,job_created_at,is_prohibited,evaluated,"
        "category_ai_adult_general,category_underage,category_nsfw,verdict,categories,note,reviewed_at,superseded_at,"
        "supersedes,saw_text\n"
        f"1,{first},{same},agree,none,,{times[0][0]},{times[0][1]},,\n"
        f'2,{second},{same},overturn,ai_adult_general underage nsfw,"\'=1, ""x""",{times[1][0]},,1,false\n'
    )
    last = events(connection)[-1]
    assert (last["event"], last["subject"]) == ("reviews-exported", headers["x-export-id"])
    assert "ann" not in str(last["details"])


def test_the_file_is_of_a_range_and_a_client(door: Door, databases: Databases, connection: psycopg.Connection) -> None:
    """Another client's reviews are not in it."""
    record_review(databases, ANN, [job(databases, insert_job(connection, is_prohibited=True))], Review(Verdict.AGREE))

    assert door.get(reviews_ticket(client_id="other"), path=REVIEWS_PATH)[2].count(b"\n") == 1
    assert door.get(reviews_ticket(client_id="acme"), path=REVIEWS_PATH)[2].count(b"\n") == 2


@pytest.mark.parametrize("path", [DOWNLOAD_PATH, AUDIT_PATH])
def test_its_ticket_opens_nothing_else_and_needs_an_admin(door: Door, path: str) -> None:
    """A ticket for reviews is refused elsewhere, and so is somebody who may not configure."""
    assert door.get(reviews_ticket(), path=path)[0] == 403
    door.person = Actor(DEMO_PERSON.name, Wall(None), frozenset({Scope.JOB_READ}))

    assert door.get(reviews_ticket(), path=REVIEWS_PATH)[0] == 403


def test_figures_are_said_with_their_sample() -> None:
    """Small samples are said to be small."""
    week = april().range.start.date()

    assert describe_rates([OverturnRate(week, None, 4, 1), OverturnRate(week, Category.NSFW, 2, 1)]) == (
        "1 verdict overturns the decision, of 4 (25.0%). That is too few to say much."
    )
    assert describe_rates([OverturnRate(week, None, 40, 10)]) == ("10 verdicts overturn the decision, of 40 (25.0%).")
    assert describe_agreement(Agreement(4, 3)) == "Of 4 jobs judged by two or more, they agree on 3 (75.0%)."
    assert describe_agreement(Agreement(40, 38, 0.875)) == (
        "Of 40 jobs judged by two or more, they agree on 38 (95.0%). Krippendorff's alpha is 0.88: 1 is full "
        "agreement, 0 what chance alone would give."
    )
    assert describe_agreement(Agreement(0, 0)).startswith("No job was judged by two people yet")
