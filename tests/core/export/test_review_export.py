"""Verdicts that leave the house, through three doors or by job, and their figures on the page of categories."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import pytest

from core.actor import DEMO_PERSON, Actor, Scope
from core.auth.tickets import AUDIT_PATH, DOWNLOAD_PATH, REVIEWS_PATH, Download, Ticket
from core.csv.format import BOM
from core.db.databases import Databases
from core.export.review_columns import HEADER
from core.jobs.filter import Category
from core.jobs.wall import Wall
from core.review.agreement import Agreement
from core.review.statistics import OverturnRate
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from dashboard.categories.reviews_section import describe_agreement, describe_rates
from tests.api.test_downloads import OFFICE, Door
from tests.core.audit.test_events import events
from tests.core.review.test_verdicts import ANN, job
from tests.support.asgi import APRIL, EXPORT, ask, create_api, make_key
from tests.support.changed_tables import change_while_waiting
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log

REVIEWS = f"/api/v1/reviews/export?{APRIL}"


@pytest.fixture
def door(databases: Databases, settings: Settings) -> Door:
    return Door(databases, settings)


def reviews_ticket(**params: str) -> str:
    return urlencode(
        {"ticket": OFFICE.issue(Ticket(Download.REVIEWS, DEMO_PERSON.name, april(**params)), browser="browser-1")}
    )


def test_a_file_that_waits_for_a_table_leaves_nothing_out(
    door: Door, databases: Databases, connection: psycopg.Connection
) -> None:
    """Verdicts that are emptied and filled anew once the snapshot is taken are in the file."""
    job_id = insert_job(connection, is_prohibited=True)
    record_review(databases, ANN, [job(databases, job_id)], Review(Verdict.AGREE, frozenset()))
    change = """
        CREATE TABLE kept AS TABLE reviews;
        BEGIN; TRUNCATE reviews; INSERT INTO reviews OVERRIDING SYSTEM VALUE TABLE kept"""
    bodies: list[bytes] = []

    def read() -> None:
        bodies.append(door.get(reviews_ticket(), path=REVIEWS_PATH)[2])

    change_while_waiting(connection, databases, change, read)

    assert [body.count(str(job_id).encode()) for body in bodies] == [1]


def test_the_file_holds_every_verdict(door: Door, databases: Databases, connection: psycopg.Connection) -> None:
    """Whole document: superseded ones, guarded notes, no categories said and none set; with the events of an export."""
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
    assert headers["content-disposition"].startswith('attachment; filename="reviews_2026-04-01_2026-05-01.csv"')
    same = f"user:ann,{job_id},acme,2026-04-15T12:00:00.000000Z,true,true,false,,true"
    assert body.decode() == (
        "\ufeffreview_id,act_id,person,job_id,client_id,job_created_at,is_prohibited,evaluated,"
        "category_ai_adult_general,category_underage,category_nsfw,verdict,categories,note,reviewed_at,superseded_at,"
        "supersedes,saw_text\n"
        f"1,{first},{same},agree,none,,{times[0][0]},{times[0][1]},,\n"
        f'2,{second},{same},overturn,ai_adult_general underage nsfw,"\'=1, ""x""",{times[1][0]},,1,false\n'
    )
    started, finished = events(connection)[-2:]
    assert [started["event"], finished["event"]] == ["export-started", "export-finished"]
    assert started["subject"] == headers["x-export-id"]
    assert started["details"]["contents"] == "reviews"
    assert "ann" not in str(started["details"])


def test_the_file_is_of_a_range_and_a_client(door: Door, databases: Databases, connection: psycopg.Connection) -> None:
    """Another client's reviews are not in it."""
    record_review(databases, ANN, [job(databases, insert_job(connection, is_prohibited=True))], Review(Verdict.AGREE))

    assert door.get(reviews_ticket(client_id="other"), path=REVIEWS_PATH)[2].count(b"\n") == 1
    assert door.get(reviews_ticket(client_id="acme"), path=REVIEWS_PATH)[2].count(b"\n") == 2


def reading_key(databases: Databases, client: str | None) -> str:
    return make_key(databases, client, scopes=frozenset({Scope.REVIEW_READ}))


@pytest.fixture
def judged(databases: Databases, connection: psycopg.Connection) -> dict[str, UUID]:
    """A job of each of two clients, judged once."""
    ids = {client: insert_job(connection, client_id=client, is_prohibited=True) for client in ("acme", "other")}
    for job_id in ids.values():
        record_review(databases, ANN, [job(databases, job_id)], Review(Verdict.OVERTURN, note="a note"))
    return ids


def test_the_api_and_the_shell_give_the_same_bytes(
    databases: Databases,
    settings: Settings,
    judged: dict[str, UUID],
    door: Door,
    run_core: Callable[..., CompletedProcess[bytes]],
    tmp_path: Path,
) -> None:
    """All three doors give one file, with a receipt whose hash is that of the body, and which `verify` knows."""
    api, key = create_api(databases, settings), reading_key(databases, None)

    answer = ask(api, REVIEWS, key, headers=[("prefer", "count=exact")])
    file = tmp_path / "reviews.csv"
    bounds = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z")
    written = run_core("reviews", "export", *bounds, "-o", str(file))
    verified = run_core("verify", str(file))

    assert (answer.status, answer.complete, answer.headers["x-total-count"]) == (200, True, "2")
    assert answer.body.startswith(BOM + HEADER)
    assert written.returncode == 0, written.stderr
    assert file.read_bytes() == answer.body == door.get(reviews_ticket(), path=REVIEWS_PATH)[2]
    assert verified.returncode == 0, verified.stderr
    receipt = json.loads(ask(api, f"/api/v1/exports/{answer.headers['x-export-id']}", key).body)
    assert (receipt["status"], receipt["contents"], receipt["rows"], receipt["sha256"]) == (
        *("complete", "reviews", 2),
        hashlib.sha256(answer.body).hexdigest(),
    )


@pytest.mark.parametrize("client", ["acme", "other"])
def test_a_clients_key_sees_the_verdicts_on_its_own_jobs(
    databases: Databases, settings: Settings, judged: dict[str, UUID], client: str
) -> None:
    """Neither the file nor the address of a job leads to another client's verdicts, and no parameter does."""
    api, key = create_api(databases, settings), reading_key(databases, client)
    other = next(name for name in judged if name != client)

    body = ask(api, REVIEWS, key).body.decode()
    found = json.loads(ask(api, f"/api/v1/jobs/{judged[client]}/reviews", key).body)

    assert str(judged[client]) in body
    assert str(judged[other]) not in body
    assert found["job_id"] == str(judged[client])
    assert [(one["verdict"], one["note"], one["superseded_at"]) for one in found["reviews"]] == [
        ("overturn", "a note", None)
    ]
    assert ask(api, f"/api/v1/jobs/{judged[other]}/reviews", key).status == 404
    assert ask(api, f"{REVIEWS}&client_id={other}", key).status == 403


def test_verdicts_need_their_own_scope(databases: Databases, settings: Settings, judged: dict[str, UUID]) -> None:
    """A key that reads jobs reads no verdicts, and one that reads verdicts reads no jobs."""
    api, key = create_api(databases, settings), make_key(databases, None)
    addresses = (REVIEWS, f"/api/v1/jobs/{judged['acme']}/reviews")

    assert [ask(api, address, key).status for address in addresses] == [403, 403]
    assert [ask(api, address).status for address in addresses] == [401, 401]
    assert ask(api, EXPORT, reading_key(databases, None)).status == 403


@pytest.mark.parametrize(
    ("more", "status", "named"),
    [("&type=image", 400, "type"), ("&reason=x", 400, "reason"), ("&client_id=", 400, "client_id")],
)
def test_what_verdicts_cannot_be_asked_for_by_is_refused(
    databases: Databases, settings: Settings, more: str, status: int, named: str
) -> None:
    """A verdict knows its job's client and time alone: any other parameter is named, never ignored."""
    answer = ask(create_api(databases, settings), REVIEWS + more, reading_key(databases, None))

    assert answer.status == status
    assert named in json.loads(answer.body)["message"]


def test_a_job_without_verdicts_has_none(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """It has an empty list; a job that is not there, and what is no id, are not found."""
    api, key = create_api(databases, settings), reading_key(databases, None)
    job_id = insert_job(connection)

    answers = [ask(api, f"/api/v1/jobs/{one}/reviews", key) for one in (job_id, UUID(int=9), "x")]

    assert [answer.status for answer in answers] == [200, 404, 404]
    assert json.loads(answers[0].body) == {"job_id": str(job_id), "reviews": []}


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
        "agreement, 0 what chance would give."
    )
    assert describe_agreement(Agreement(0, 0)).startswith("No job was judged by two people yet")
