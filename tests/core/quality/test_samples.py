"""Samples: drawn by chance, the same for the same seed, behind the wall, and kept with what they were drawn from."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from core.actor import COMMAND_LINE, Actor, Forbidden, Scope
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.intake.demo import seed_jobs
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import Category
from core.jobs.strata import Stratification
from core.jobs.wall import Wall
from core.quality.drawing import count_strata, draw_jobs
from core.quality.samples import MOST_STRATA, Plan, draw_sample, find_sample, list_samples
from tests.core.audit.test_events import events
from tests.support.documents import april
from tests.support.rows import NOON, insert_job, insert_log

ACME = Actor("user:acme", Wall("acme"), frozenset({Scope.JOB_READ}))


def drawn(connection: psycopg.Connection, sample_id: UUID) -> list[UUID]:
    """Return the jobs of a sample in the order in which they are to be judged."""
    return [
        row[0]
        for row in connection.execute(
            "SELECT job_id FROM sample_jobs WHERE sample_id = %s ORDER BY place", (sample_id,)
        )
    ]


def strata(connection: psycopg.Connection, sample_id: UUID) -> list[tuple[list[object], int, int]]:
    """Return each stratum's values, its jobs, and how many were drawn."""
    return connection.execute(
        "SELECT values, population, count(job_id) FROM sample_strata LEFT JOIN sample_jobs USING (sample_id, stratum)"
        " WHERE sample_id = %s GROUP BY stratum, values, population ORDER BY stratum",
        (sample_id,),
    ).fetchall()


def test_the_same_seed_draws_the_same_jobs(databases: Databases, connection: psycopg.Connection) -> None:
    """Another seed draws others; all are decided jobs of the filter, none twice."""
    seed_jobs(databases, 2000, seed=1, until=datetime(2026, 5, 1, tzinfo=UTC))

    one, again, other = (
        drawn(connection, draw_sample(databases, COMMAND_LINE, april(), Plan("a", 100, seed=seed)))
        for seed in (1, 1, 2)
    )

    assert one == again
    assert len(set(one)) == len(set(other)) == 100
    assert len(set(one) & set(other)) < 50
    decided = connection.execute(
        "SELECT job_id FROM jobs WHERE is_prohibited IS NOT NULL AND created_at >= '2026-04-01Z'"
    ).fetchall()
    assert set(one) | set(other) <= {row[0] for row in decided}


def test_every_job_has_the_same_chance(databases: Databases, connection: psycopg.Connection) -> None:
    """Over 300 seeds each of 20 jobs is drawn about as often as any other, whatever its id is."""
    ids = [insert_job(connection, job_id=UUID(int=number)) for number in range(20)]

    found = Counter(
        job
        for seed in range(300)
        for job in drawn(connection, draw_sample(databases, COMMAND_LINE, april(), Plan("a", 5, seed=seed)))
    )

    assert found.total() == 1500
    assert all(40 < found[job] < 115 for job in ids)


def test_strata_are_kept_with_their_jobs(databases: Databases, connection: psycopg.Connection) -> None:
    """Decision, client, reason and categories tell strata apart, as asked; each keeps how many jobs it has."""
    for number in range(6):
        insert_job(connection, is_prohibited=number < 4, reason="list 7" if number < 2 else None)
    flagged = insert_job(connection, client_id="other", is_prohibited=True)
    insert_log(connection, flagged, category_nsfw=True, category_underage=True)
    insert_job(connection, is_prohibited=None)
    by = (Stratification.CATEGORY, Stratification.REASON, Stratification.CLIENT)

    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 5, by=by))

    assert strata(connection, sample_id) == [
        ([False, None, None, "acme"], 2, 2),
        ([True, "underage nsfw", None, "other"], 1, 1),
        ([True, None, "list 7", "acme"], 2, 1),
        ([True, None, None, "acme"], 2, 1),
    ]


def test_the_wall_holds(databases: Databases, connection: psycopg.Connection) -> None:
    """A person of one client draws its jobs only, and sees no sample that was drawn beyond the wall."""
    insert_job(connection, client_id="other")
    own = insert_job(connection)

    theirs = draw_sample(databases, ACME, april(), Plan("ours", 10))
    everybodys = draw_sample(databases, COMMAND_LINE, april(), Plan("all", 10))

    assert drawn(connection, theirs) == [own]
    assert [row.sample_id for row in list_samples(databases, ACME.wall)] == [theirs]
    assert [row.name for row in list_samples(databases, Wall(None))] == ["all", "ours"]
    assert find_sample(databases, ACME.wall, everybodys) is None


def test_drawing_leaves_an_event(databases: Databases, connection: psycopg.Connection) -> None:
    """The event names the sample, its filter, its size and its seed; a sample without it does not exist."""
    insert_job(connection)

    sample_id = draw_sample(databases, COMMAND_LINE, april(client_id="acme"), Plan("a", 10, seed=3))

    (last,) = events(connection)
    assert (last["event"], last["actor"], last["subject"]) == ("sample-drawn", "cli", str(sample_id))
    assert last["details"] == {"filter": april(client_id="acme").to_params(), "jobs": 1, "seed": 3}


@pytest.mark.parametrize(
    ("plan", "named"),
    [
        (Plan("", 10), "name is empty"),
        (Plan("x" * 201, 10), "name is empty or longer"),
        (Plan("a", 0), "size is not between 1 and 10,000"),
        (Plan("a", 10_001), "size is not between"),
        (Plan("a", 10, at_least=11), "at_least is not between 0 and size"),
        (Plan("a", 10, seed=2**63), "seed is not a whole number of 64 bits"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    databases: Databases, connection: psycopg.Connection, plan: Plan, named: str
) -> None:
    """What is wrong is named, and nothing is drawn."""
    insert_job(connection)

    with pytest.raises(InvalidParameter, match=named):
        draw_sample(databases, COMMAND_LINE, april(), plan)

    assert list_samples(databases, Wall(None)) == []


def test_nothing_to_draw_is_said(databases: Databases, connection: psycopg.Connection) -> None:
    """No decided job, only undecided ones asked for, and more strata than anybody can judge: each has its sentence."""
    insert_job(connection, is_prohibited=None)
    with pytest.raises(NotPossible, match="No decided job matches"):
        draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10))
    with pytest.raises(InvalidParameter, match="only decided jobs can be judged"):
        draw_sample(databases, COMMAND_LINE, april(decision="undecided"), Plan("a", 10))

    for number in range(MOST_STRATA + 1):
        insert_job(connection, reason=f"rule {number}", created_at=NOON)
    with pytest.raises(NotPossible, match="have 201 strata"):
        draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10, by=(Stratification.REASON,)))


@pytest.mark.parametrize("kind", [Stratification.DECISION, Stratification.CLIENT, Stratification.CATEGORY])
def test_facts_draw_what_the_jobs_themselves_draw(
    databases: Databases, connection: psycopg.Connection, kind: Stratification
) -> None:
    """Where facts are kept beside the jobs the counts and the drawn jobs are the same, unsettled ones included."""
    seed_jobs(databases, 1000, seed=1, until=datetime(2026, 5, 1, tzinfo=UTC))
    flagged = insert_job(connection, client_id="acme", is_prohibited=True)
    insert_log(connection, flagged, category_nsfw=True)
    connection.execute(
        "INSERT INTO job_facts_unsettled (job_id, created_at) SELECT job_id, created_at FROM jobs LIMIT 9"
    )
    by = tuple(dict.fromkeys((Stratification.DECISION, kind)))
    access = make_access(databases, Wall(None))
    assert access.has_facts

    def draw(access: JobAccess) -> list[tuple[object, ...]]:
        with databases.source.transaction() as reading:
            counted = count_strata(reading, april(decision="reject,pass"), access, by)
            shares = dict.fromkeys(counted, 0.5)
            drawn = draw_jobs(reading, april(decision="reject,pass"), access, by, shares=shares, seed=5)
        assert {stratum: jobs for stratum, jobs, _ in drawn} == counted
        return sorted(drawn, key=str)

    assert draw(access) == draw(replace(access, has_facts=False))


@pytest.mark.parametrize("words", ["q", "reason", "reason_contains"])
def test_a_sample_of_a_search_for_words_is_not_told_where_texts_are_withheld(
    databases: Databases, connection: psycopg.Connection, words: str
) -> None:
    """That a search found a job tells what stands in its texts: such a sample is neither listed nor drawn."""
    insert_job(connection, prompt="apple", reason="apple", is_prohibited=True)
    behind = Actor("user:reader", Wall(None, withheld=(Category.UNDERAGE,)), frozenset({Scope.JOB_READ}))
    sample_id = draw_sample(databases, COMMAND_LINE, april(**{words: "apple"}), Plan("a", 1))
    other = draw_sample(databases, COMMAND_LINE, april(), Plan("b", 1))

    assert [row.sample_id for row in list_samples(databases, behind.wall)] == [other]
    assert find_sample(databases, behind.wall, sample_id) is None
    with pytest.raises(Forbidden, match="draw without searching"):
        draw_sample(databases, behind, april(**{words: "apple"}), Plan("c", 1))
