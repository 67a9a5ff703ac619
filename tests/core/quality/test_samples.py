"""Samples: drawn by chance, the same for the same seed, behind the wall, and kept with what they were drawn from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr

from core.actor import COMMAND_LINE, Actor, Forbidden, Scope
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import InvalidParameter, NotPossible, StatementDropped
from core.intake.demo import seed_jobs
from core.jobs.access import make_access
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.reasons import find_places
from core.jobs.strata import Stratification
from core.jobs.wall import Wall
from core.quality.drawing import count_strata, draw_jobs, draw_places
from core.quality.places import are_counted_by_hour, asks_about_reasons, count_by_hour
from core.quality.samples import Judging, Plan, draw_sample, edit_sample, find_sample, list_samples
from core.settings import Settings
from tests.conftest import TestServer
from tests.core.audit.test_events import events
from tests.support.changed_tables import CHANGED_TABLES, change_while_waiting
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


@pytest.mark.parametrize("how", ["by facts", "by reasons", "by hashes"])
def test_every_job_has_the_same_chance(databases: Databases, connection: psycopg.Connection, how: str) -> None:
    """Over 150 seeds each of 24 jobs of a stratum is drawn about as often as any other, whatever its id and hour."""
    for number in range(24):
        # Three kinds of facts with two reasons that begin alike, in hours of which some have many jobs.
        created_at, reason = NOON + timedelta(minutes=number**2), "a" * (300 + number % 2)
        job = insert_job(connection, job_id=UUID(int=number), created_at=created_at, is_prohibited=True, reason=reason)
        if number % 3:
            insert_log(connection, job, category_nsfw=number % 3 == 1)
    connection.execute("SELECT job_counts_add_up(10000)")
    access, rejected = make_access(databases, Wall(None)), april(decision="reject")
    by_reason = how == "by reasons"
    by = (Stratification.DECISION, *((Stratification.REASON,) if by_reason else ()))
    found: Counter[UUID] = Counter()

    with databases.source.transaction(is_snapshot=True) as reading:
        kinds = count_by_hour(reading, rejected, access, by)
        assert kinds is not None
        (stratum,) = {kind.values(by) for kind in kinds}
        for seed in range(150):
            if how == "by hashes":
                drawn = draw_jobs(reading, rejected, access, by, shares={stratum: 1.0}, seed=seed)[stratum][:12]
            else:
                places = draw_places(kinds, by, sizes={stratum: 12}, seed=seed)[stratum]
                drawn = find_places(reading, rejected, access, places, by_reason=by_reason)
            assert len(set(drawn)) == 12
            found.update(drawn)

    assert len(kinds) == (6 if by_reason else 3)
    # Drawn without repetition, a job varies half as much as chi-square has it.
    mean = found.total() / 24
    statistic = sum((found[UUID(int=number)] - mean) ** 2 / mean for number in range(24))
    # Where each has the same chance, one in a hundred is above this with 23 degrees of freedom.
    assert 2 * statistic < 41.638


@pytest.mark.parametrize("change", ["a part detached", "a part dropped", "logs emptied and filled anew"])
def test_no_sample_is_drawn_of_tables_that_have_changed(
    databases: Databases, connection: psycopg.Connection, change: str
) -> None:
    """Rows that move to another table once the snapshot is taken would be missing from the counts that are kept."""
    for created_at in (NOON, NOON - timedelta(days=10)):
        insert_log(connection, insert_job(connection, created_at=created_at, is_prohibited=True), category_nsfw=True)
    plan, refusals = Plan("a", 2, by=(Stratification.CATEGORY,)), []

    def draw() -> None:
        with pytest.raises(StatementDropped) as caught:
            draw_sample(databases, COMMAND_LINE, april(), plan)
        refusals.append(str(caught.value))

    change_while_waiting(connection, databases, CHANGED_TABLES[change], draw)

    assert refusals == ["The tables that this reads have just been changed: try again in a few seconds."]
    assert list_samples(databases, Wall(None)) == []


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
        (Plan("a", 10, at_least=11), "at_least is not between 0 and the jobs to judge"),
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

    for number in range(201):
        insert_job(connection, reason=f"rule {number}", created_at=NOON)
    with pytest.raises(NotPossible, match="are of 201 kinds"):
        draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10, by=(Stratification.REASON,)))


def test_so_many_reasons_that_nobody_counts_them_are_refused(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """More than a thousand reasons are too many strata where they begin differently, and few where they do not."""
    connection.execute(
        "INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, reason)"
        " SELECT gen_random_uuid(), client_id, 'prompt', 'completed', true, %s, repeat(word, 300) || number"
        " FROM generate_series(1, 1001) AS number, (VALUES ('alike', 'b')) AS one (client_id, word)"
        " UNION ALL SELECT gen_random_uuid(), 'apart', 'prompt', 'completed', true, %s, number::text"
        " FROM generate_series(1, 1001) AS number",
        (NOON, NOON),
    )
    plan = Plan("a", 10, by=(Stratification.REASON,))

    alike = draw_sample(databases, COMMAND_LINE, april(client_id="alike"), plan)

    assert strata(connection, alike) == [([True, "b" * 200], 1001, 10)]
    with pytest.raises(NotPossible, match="are of more than 200 kinds"):
        draw_sample(databases, COMMAND_LINE, april(client_id="apart"), plan)


def draw_half(
    databases: Databases, job_filter: JobFilter, wall: Wall, by: tuple[Stratification, ...]
) -> dict[tuple[object, ...], list[UUID]]:
    """Draw half of each stratum by what is counted, and hold that against the jobs themselves."""
    access = make_access(databases, wall)
    with databases.source.transaction(is_snapshot=True) as reading:
        assert are_counted_by_hour(reading, job_filter, access, by)
        kinds = count_by_hour(reading, job_filter, access, by)
        assert kinds is not None
        counted = count_strata(reading, job_filter, access, by)
        half = {stratum: (jobs + 1) // 2 for stratum, jobs in counted.items()}
        places = draw_places(kinds, by, sizes=half, seed=5)
        together = [place for found in places.values() for place in found]
        by_reason = asks_about_reasons(job_filter, by)
        ids = iter(find_places(reading, job_filter, access, together, by_reason=by_reason))
        drawn = {stratum: list(islice(ids, len(found))) for stratum, found in places.items()}
        everything = draw_jobs(reading, job_filter, access, by, shares=dict.fromkeys(half, 1.0), seed=1)
    told: Counter[tuple[object, ...]] = Counter()
    for kind, hours in kinds.items():
        told[kind.values(by)] += sum(hours.values())
    assert told == counted
    assert {stratum: len(set(ids)) for stratum, ids in drawn.items()} == half
    assert all(set(ids) <= set(everything[stratum]) for stratum, ids in drawn.items())
    return drawn


@pytest.fixture(scope="module")
def template(server: TestServer, default_settings: Settings) -> Iterator[str]:
    """Five hundred demo jobs, and some whose reasons begin alike, are empty or are rare."""
    name = f"fencepost_demo_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    databases = open_databases(default_settings.model_copy(update={"database_url": SecretStr(url)}))
    seed_jobs(databases, 500, seed=1, until=datetime(2026, 5, 1, tzinfo=UTC))
    databases.close()
    with psycopg.connect(url, autocommit=True) as connection:
        for reason in ("", "a" * 300, "a" * 301, "rare"):
            for number, is_prohibited in enumerate((True, True, False, None)):
                job = insert_job(connection, reason=reason, is_prohibited=is_prohibited, client_id="demo-atelier")
                if number:
                    insert_log(connection, job, category_nsfw=number > 1, category_underage=False)
    yield name
    server.drop(name)


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(
    "more",
    [
        *((), ("category",), ("client",), ("reason",), ("category", "client"), ("reason", "category")),
        *(("client", "reason"), ("category", "client", "reason")),
    ],
    ids=str,
)
def test_what_is_counted_draws_of_the_same_strata(
    databases: Databases, connection: psycopg.Connection, more: tuple[str, ...]
) -> None:
    """Where jobs are counted beside them, strata have the same jobs, and each drawn job is one of its stratum.

    Also of a range that begins and ends within hours, of one reason, and behind a wall. Reasons that begin alike are
    one stratum, and an empty one is none. Hours whose reasons are not counted yet, or have changed since, and jobs that
    are noted as unsettled are asked themselves, and what is drawn is the same.
    """
    by = (Stratification.DECISION, *map(Stratification, more))
    bounds = DateRange(datetime(2026, 4, 2, 3, 14, tzinfo=UTC), datetime(2026, 4, 29, 15, 9, tzinfo=UTC))
    decided = april(decision="reject,pass")
    asked = [
        (decided, Wall(None)),
        (replace(decided, range=bounds), Wall(None)),
        (replace(decided, range=bounds, client_id="demo-atelier"), Wall(None)),
        (decided, Wall("demo-atelier", "demo-bluebird")),
        (replace(decided, reason="rare"), Wall(None)),
        (april(decision="reject", category="nsfw"), Wall("demo-atelier")),
    ]

    uncounted = [draw_half(databases, each, wall, by) for each, wall in asked]
    connection.execute("SELECT job_counts_add_up(10000)")
    counted = [draw_half(databases, each, wall, by) for each, wall in asked]
    connection.execute(
        "INSERT INTO job_facts_unsettled (job_id, created_at) SELECT job_id, created_at FROM jobs LIMIT 99"
    )
    noted = [draw_half(databases, each, wall, by) for each, wall in asked]

    assert uncounted == counted == noted
    if more == ("reason",):
        assert len(counted[0][True, "a" * 200]) == 2


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


def test_a_fact_that_is_wrong_draws_nothing_wrong(databases: Databases, connection: psycopg.Connection) -> None:
    """A job whose fact is not settled yet counts as what it is."""
    passed = insert_job(connection, is_prohibited=False)
    insert_job(connection, is_prohibited=True)
    connection.execute("UPDATE job_facts SET code = 56 WHERE job_id = %s", (passed,))
    connection.execute(
        "INSERT INTO job_counts (hour, client_id, code, total) SELECT hour, client_id, wrong, change"
        " FROM job_counts, (VALUES (28, -1), (56, 1)) AS each (wrong, change) WHERE code = 28"
    )
    connection.execute("INSERT INTO job_facts_unsettled (job_id, created_at) VALUES (%s, %s)", (passed, NOON))

    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10))

    assert strata(connection, sample_id) == [([False], 1, 1), ([True], 1, 1)]


def test_counts_that_do_not_fit_the_jobs_draw_nothing(databases: Databases, connection: psycopg.Connection) -> None:
    """Where a job is counted and not found, those of one stratum would stand for another's."""
    job_id = insert_job(connection, is_prohibited=False)
    insert_job(connection, is_prohibited=True)
    connection.execute("DELETE FROM job_facts WHERE job_id = %s", (job_id,))

    with pytest.raises(NotPossible, match="do not fit them"):
        draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10))

    assert list_samples(databases, Wall(None)) == []


def test_people_and_last_day_can_be_changed_later(databases: Databases, connection: psycopg.Connection) -> None:
    """By who has drawn it and by admins; a sample that its last day had ended goes on; each change is in the audit."""
    insert_job(connection)
    sample_id = draw_sample(databases, ACME, april(client_id="acme"), Plan("a", 10), Judging(people=("user:acme",)))
    admin = Actor("user:admin", Wall(None), frozenset(Scope))
    connection.execute("UPDATE samples SET last_day = '2026-04-30', finished_at = now()")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)

    def look() -> tuple[object, ...]:
        sample = find_sample(databases, Wall(None), sample_id)
        assert sample is not None
        return sample.people, sample.last_day, sample.finished_at is not None

    edit_sample(databases, admin, sample_id, people=("user:bob",), last_day=date(2026, 4, 30))
    still_ended = look()
    edit_sample(databases, ACME, sample_id, people=None, last_day=tomorrow)

    assert still_ended == (["user:bob"], date(2026, 4, 30), True)
    assert look() == (None, tomorrow, False)
    *_, last = events(connection)
    assert (last["event"], last["actor"], last["subject"]) == ("sample-edited", ACME.name, str(sample_id))
    assert last["details"] == {"people": None, "last_day": tomorrow.isoformat()}


def test_a_change_that_cannot_be_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """By somebody else, from behind a wall, with too few people, or until a day that is over: nothing changes."""
    insert_job(connection)
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 10), Judging(opinions=2))
    other = Actor("user:other", Wall(None), frozenset({Scope.JOB_READ}))
    yesterday = datetime.now(UTC).date() - timedelta(days=1)

    with pytest.raises(Forbidden, match="Only who has drawn it"):
        edit_sample(databases, other, sample_id, people=None, last_day=None)
    with pytest.raises(NotPossible, match="no such sample"):
        edit_sample(databases, ACME, sample_id, people=None, last_day=None)
    with pytest.raises(InvalidParameter, match="Fewer people"):
        edit_sample(databases, COMMAND_LINE, sample_id, people=("user:a",), last_day=None)
    with pytest.raises(InvalidParameter, match="The last day is over"):
        edit_sample(databases, COMMAND_LINE, sample_id, people=None, last_day=yesterday)

    assert [event["event"] for event in events(connection)] == ["sample-drawn"]
