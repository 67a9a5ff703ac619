"""Samples of decided jobs: drawn by chance from a filter, kept with what they were drawn from, and read again."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from math import sqrt
from random import Random
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Date, Row, Text, cast, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY, array

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.characters import make_storable
from core.db.databases import Databases
from core.db.schema import sample_jobs, sample_strata, samples
from core.errors import InvalidParameter, NotPossible
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import REASON, REASON_CONTAINS, Decision, JobFilter, Q
from core.jobs.job import find_jobs
from core.jobs.reasons import find_places
from core.jobs.strata import Kind, Stratification
from core.jobs.wall import Wall
from core.quality.allocation import Strata, allocate, allocate_for_decisions
from core.quality.drawing import count_strata, draw_jobs, draw_places
from core.quality.places import MOST_STRATA, Hours, are_counted_by_hour, asks_about_reasons, count_by_hour

LARGEST_SAMPLE = 10_000
LONGEST_NAME = 200
MOST_OPINIONS = 5

# Parameters of a filter whose words stand in the texts of the jobs that are found.
_WORDS = (Q.name, REASON.name, REASON_CONTAINS.name)

# Seconds that counting and drawing may take each.
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What to draw: how many jobs in all and at least of each stratum, what tells strata apart, and the seed.

    `narrowest`: the jobs beyond the least go where they narrow the answer most, not in proportion.
    """

    name: str
    size: int
    by: tuple[Stratification, ...] = (Stratification.DECISION,)
    at_least: int = 1
    seed: int = 1
    narrowest: bool = False


@dataclass(frozen=True, slots=True)
class Judging:
    """How a sample is judged: how many people judge each job, blind or not, and whether they must say categories.

    Blind: the decision, its reason and its categories are hidden from a person until they have judged. `last_day` None:
    until it is done. `people`: the names of those who take part, None for everybody.
    """

    opinions: int = 1
    is_blind: bool = True
    needs_categories: bool = False
    last_day: date | None = None
    people: tuple[str, ...] | None = None


DEFAULT = Judging()


def draw_sample(
    databases: Databases,
    by: Actor,
    job_filter: JobFilter,
    plan: Plan,
    judging: Judging = DEFAULT,
    *,
    hand_over: Callable[[UUID], None] | None = None,
) -> UUID:
    """Draw a sample of the decided jobs of a filter, all or nothing, together with its event; return its id.

    Where `hand_over` fails to give that away, there is no sample.
    The same seed draws the same jobs of the same filter. Raises `InvalidParameter` for a plan that cannot be, and
    `NotPossible` where no job was decided, or where there are too many strata.
    """
    name, stratified = _check(plan)
    _check_judging(judging)
    decided = _decided(job_filter)
    if by.wall.withheld and Stratification.REASON in stratified:
        raise Forbidden("Reasons may quote texts that you may not see: draw without them.")
    if by.wall.withheld and not decided.to_params().keys().isdisjoint(_WORDS):
        raise Forbidden("Words in texts may be in ones that you may not see: draw without searching for any.")
    access = make_access(databases, by.wall)
    with databases.source.transaction(timeout=_PATIENCE, is_snapshot=True) as connection:
        taken = _draw(connection, decided, access, stratified, plan)
        found = {
            row.job_id: row
            for row in find_jobs(connection, decided, access, [job for _, _, ids in taken for job in ids])
        }
    sample_id = uuid4()
    strata, rows = _rows(sample_id, taken, found, plan.seed)
    if hand_over is not None:
        # Before anything is locked: nobody else waits while a terminal stands still.
        hand_over(sample_id)
    with databases.ours.transaction() as connection:
        connection.execute(
            insert(samples).values(
                sample_id=sample_id,
                name=name,
                drawn_by=by.name,
                clients=by.wall.narrow(job_filter.client_id),
                filter=job_filter.to_params(),
                strata=[kind.value for kind in stratified],
                seed=plan.seed,
                opinions=judging.opinions,
                is_blind=judging.is_blind,
                needs_categories=judging.needs_categories,
                last_day=judging.last_day,
                people=None if judging.people is None else list(judging.people),
            )
        )
        connection.execute(insert(sample_strata), strata)
        connection.execute(insert(sample_jobs), rows)
        details = {"filter": job_filter.to_params(), "jobs": len(rows), "seed": plan.seed}
        append(connection, databases.audit_key, Event.SAMPLE_DRAWN, by, subject=str(sample_id), details=details)
    return sample_id


def list_samples(databases: Databases, wall: Wall) -> list[Row[Any]]:
    """List the samples of clients that the wall allows, the newest first."""
    query = select(samples).where(*_may_be_seen(wall))
    with databases.ours.transaction() as connection:
        return list(connection.execute(query.order_by(samples.c.drawn_at.desc(), samples.c.sample_id)))


def find_sample(databases: Databases, wall: Wall, sample_id: UUID) -> Row[Any] | None:
    """Return a sample, or None where there is none or the wall hides it."""
    query = select(samples).where(samples.c.sample_id == sample_id, *_may_be_seen(wall))
    with databases.ours.transaction() as connection:
        return connection.execute(query).one_or_none()


def may_edit(sample: Row[Any], person: Actor) -> bool:
    """Tell whether somebody has drawn a sample, or is an admin."""
    return bool(sample.drawn_by == person.name) or Scope.ADMIN_CONFIG in person.scopes


def edit_sample(
    databases: Databases, by: Actor, sample_id: UUID, *, people: tuple[str, ...] | None, last_day: date | None
) -> None:
    """Change who judges a sample and until when, with its event; a sample that had ended by its last day goes on.

    Raises `NotPossible` where there is none, `Forbidden` for whoever has not drawn it and is no admin, and
    `InvalidParameter` for too few people and for a day that is over.
    """
    today = func.timezone("UTC", func.now()).cast(Date)
    query = select(samples, today.label("today")).where(samples.c.sample_id == sample_id, *_may_be_seen(by.wall))
    with databases.ours.transaction() as connection:
        sample = connection.execute(query.with_for_update(of=samples)).one_or_none()
        if sample is None:
            raise NotPossible("There is no such sample any more: go back to the list.")
        if not may_edit(sample, by):
            raise Forbidden("Only who has drawn it and administrators change a sample: ask one of them.")
        _check_people(people, sample.opinions)
        if last_day is not None and last_day != sample.last_day and last_day < sample.today:
            raise InvalidParameter("The last day is over: choose today or a later one.")
        had_ended = sample.last_day is not None and sample.last_day < sample.today
        goes_on = last_day is None or last_day >= sample.today
        values = {"people": None if people is None else list(people), "last_day": last_day}
        finished_at = null() if had_ended and goes_on else samples.c.finished_at
        connection.execute(
            update(samples).where(samples.c.sample_id == sample_id).values(values | {"finished_at": finished_at})
        )
        details = values | {"last_day": None if last_day is None else last_day.isoformat()}
        append(connection, databases.audit_key, Event.SAMPLE_EDITED, by, subject=str(sample_id), details=details)


def _may_be_seen(wall: Wall) -> list[ColumnElement[bool]]:
    """List the conditions under which a sample may be seen: nothing of it is of another client, or withheld."""
    conditions: list[ColumnElement[bool]] = []
    if wall.clients is not None:
        conditions.append(samples.c.clients.contained_by(cast(sorted(wall.clients), ARRAY(Text))))
    if wall.withheld:
        # Reasons may quote prompts, and that words found these jobs tells what stands in theirs.
        conditions.append(literal(Stratification.REASON.value) != func.all(samples.c.strata))
        conditions.append(~samples.c.filter.has_any(array(_WORDS)))
    return conditions


def _check(plan: Plan) -> tuple[str, tuple[Stratification, ...]]:
    name = make_storable(plan.name).strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidParameter(f"name is empty or longer than {LONGEST_NAME} characters: choose another one.")
    if not 1 <= plan.size <= LARGEST_SAMPLE:
        raise InvalidParameter(f"size is not between 1 and {LARGEST_SAMPLE:,}: choose how many jobs to draw.")
    if not 0 <= plan.at_least <= plan.size:
        raise InvalidParameter(
            "at_least is not between 0 and the jobs to judge: choose fewer of each kind, or more jobs."
        )
    if not -(2**63) <= plan.seed < 2**63:
        raise InvalidParameter("seed is not a whole number of 64 bits: choose another one.")
    # The decision always tells strata apart: what is wrong of rejections and of passes are two questions.
    return name, tuple(dict.fromkeys((Stratification.DECISION, *plan.by)))


def _check_judging(judging: Judging) -> None:
    if not 1 <= judging.opinions <= MOST_OPINIONS:
        raise InvalidParameter(f"opinions is not between 1 and {MOST_OPINIONS}: choose how many people judge each job.")
    _check_people(judging.people, judging.opinions)


def _check_people(people: Sequence[str] | None, opinions: int) -> None:
    if people is not None and len(people) < opinions:
        raise InvalidParameter("Fewer people take part than are to judge each job: choose more people, or fewer a job.")


def _decided(job_filter: JobFilter) -> JobFilter:
    decisions = tuple(item for item in job_filter.decision if item is not Decision.UNDECIDED)
    if job_filter.decision and not decisions:
        raise InvalidParameter("decision names undecided jobs only: only decided jobs can be judged.")
    return replace(job_filter, decision=decisions or (Decision.REJECT, Decision.PASS))


def _draw(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification], plan: Plan
) -> list[tuple[Strata, int, list[UUID]]]:
    """Draw each stratum's jobs; return them with how many it has."""
    if are_counted_by_hour(connection, job_filter, access, by):
        kinds = count_by_hour(connection, job_filter, access, by)
        if kinds is not None:
            return _draw_by_hours(connection, job_filter, access, kinds, by, plan)
    counted = count_strata(connection, job_filter, access, by)
    sizes = _allocate(plan, by, counted)
    shares = {stratum: _enough(sizes[stratum], counted[stratum]) for stratum in sizes}
    hashed = draw_jobs(connection, job_filter, access, by, shares=shares, seed=plan.seed)
    return [(stratum, jobs, hashed.get(stratum, [])[: sizes[stratum]]) for stratum, jobs in counted.items()]


def _draw_by_hours(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    kinds: Mapping[Kind, Hours],
    by: Sequence[Stratification],
    plan: Plan,
) -> list[tuple[Strata, int, list[UUID]]]:
    """Draw by how many jobs of each kind each hour has."""
    counted: Counter[Strata] = Counter()
    for kind, hours in kinds.items():
        counted[kind.values(by)] += sum(hours.values())
    drawn = draw_places(kinds, by, sizes=_allocate(plan, by, counted), seed=plan.seed)
    places = [place for found in drawn.values() for place in found]
    by_reason = asks_about_reasons(job_filter, by)
    ids = find_places(connection, job_filter, access, places, by_reason=by_reason)
    if len(ids) < len(places):
        # Those of one stratum would stand for another's.
        raise NotPossible(
            "Counts beside the jobs do not fit them: `python -m core facts check` says where; draw anew then."
        )
    one = iter(ids)
    taken = {stratum: list(islice(one, len(found))) for stratum, found in drawn.items()}
    return [(stratum, jobs, taken[stratum]) for stratum, jobs in counted.items()]


def _allocate(plan: Plan, by: Sequence[Stratification], counted: Mapping[Strata, int]) -> dict[Strata, int]:
    if not counted:
        raise NotPossible("No decided job matches: choose other jobs.")
    if len(counted) > MOST_STRATA:
        raise NotPossible(
            f"These jobs are of {len(counted):,} kinds (strata), and the most are {MOST_STRATA}: tell fewer apart."
        )
    if plan.narrowest:
        return allocate_for_decisions(counted, by.index(Stratification.DECISION), plan.size, at_least=plan.at_least)
    return allocate(counted, plan.size, at_least=plan.at_least)


def _enough(size: int, jobs: int) -> float:
    """Return the share of a stratum's hashes under which `size` jobs lie as good as always."""
    return min(1.0, (size + 8 * sqrt(size) + 16) / jobs)


def _rows(
    sample_id: UUID, taken: Iterable[tuple[Strata, int, list[UUID]]], found: dict[UUID, Row[Any]], seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    strata: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for number, (values, jobs, ids) in enumerate(sorted(taken, key=lambda one: str(one[0])), 1):
        strata.append({"sample_id": sample_id, "stratum": number, "values": list(values), "population": jobs})
        rows += [_row(sample_id, number, found.get(job_id)) for job_id in ids]
    Random(seed).shuffle(rows)  # noqa: S311 - the order is to be reproducible, not secret
    for place, row in enumerate(rows, 1):
        row["place"] = place
    return strata, rows


def _row(sample_id: UUID, stratum: int, job: Row[Any] | None) -> dict[str, Any]:
    if job is None:
        # Replacing it would make the sample one that chance has not drawn.
        raise NotPossible("Jobs were changed while the sample was drawn: draw it again.")
    return {
        "sample_id": sample_id,
        "job_id": job.job_id,
        "stratum": stratum,
        "client_id": job.client_id,
        "job_created_at": job.created_at,
        "is_prohibited": job.is_prohibited,
    }
