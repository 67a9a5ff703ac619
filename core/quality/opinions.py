"""What reviewers make of each job of a sample, as far as they have judged it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from core.db.schema import reviews, sample_jobs, sample_strata
from core.gold.answers import FEWEST
from core.gold.tables import gold_answers
from core.jobs.filter import Category
from core.policy.outdated import COUNTS
from core.review.verdicts import IS_FIRM, WOULD_REJECT


@dataclass(frozen=True, slots=True)
class Stratified:
    """A stratum of a sample: its number, what tells it apart, its jobs when it was drawn, and how many were drawn."""

    number: int
    values: tuple[Any, ...]
    jobs: int
    drawn: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What those who have judged a job make of it; the decision is the one that it had when it was drawn.

    `is_wrong` is None where somebody is not sure or two disagree, unless that is settled; `should_have` says of each
    category whether the job should bear it, None where nobody said so or two disagree.
    """

    job_id: UUID
    stratum: int
    client_id: str
    is_prohibited: bool
    is_wrong: bool | None
    has: Mapping[Category, bool]
    should_have: Mapping[Category, bool | None]


def read_strata(connection: Connection, sample_id: UUID) -> list[Stratified]:
    """Read the strata of a sample in their order."""
    drawn = (
        select(func.count())
        .where(sample_jobs.c.sample_id == sample_strata.c.sample_id, sample_jobs.c.stratum == sample_strata.c.stratum)
        .scalar_subquery()
    )
    query = select(sample_strata.c.stratum, sample_strata.c["values"], sample_strata.c.population, drawn)
    rows = connection.execute(query.where(sample_strata.c.sample_id == sample_id).order_by(sample_strata.c.stratum))
    return [Stratified(number, tuple(values), jobs, count) for number, values, jobs, count in rows]


def should_reject() -> ColumnElement[bool]:
    """What reviewers make of a job, in a query of reviews by job with its settled answer; null where that is unclear.

    Those who are sure agree and nobody is not sure, or it is settled: by an admin, or by most of three or more.
    """
    yes, no = (func.count().filter(IS_FIRM, way) for way in (WOULD_REJECT, ~WOULD_REJECT))
    unsure = func.count().filter(~IS_FIRM)
    by_admin = func.bool_or(WOULD_REJECT).filter(IS_FIRM, reviews.c.person == gold_answers.c.settled_by)
    return case(
        (by_admin.is_not(None), by_admin),
        (and_(unsure == 0, or_(yes == 0, no == 0)), yes > 0),
        (and_(yes > 0, no > 0, yes != no, yes + no >= FEWEST), yes > no),
    )


def read_opinions(connection: Connection, sample_id: UUID) -> list[Opinion]:
    """Read what the verdicts that count make of the jobs of a sample that were judged."""
    said = func.count(reviews.c.categories)
    categories = [
        column
        for category in Category
        for column in (
            func.coalesce(func.bool_or(reviews.c[category.column]), False),
            func.count().filter(reviews.c.categories.any_() == category.value),
        )
    ]
    query = (
        select(
            sample_jobs.c.job_id,
            sample_jobs.c.stratum,
            sample_jobs.c.client_id,
            sample_jobs.c.is_prohibited,
            # Somebody may have judged a decision that was changed since: what counts is whether it should be rejected.
            (sample_jobs.c.is_prohibited != should_reject()).label("is_wrong"),
            said.label("said"),
            *(column.label(f"category_{number}") for number, column in enumerate(categories)),
        )
        .join(reviews, (reviews.c.job_id == sample_jobs.c.job_id) & COUNTS)
        .outerjoin(gold_answers, gold_answers.c.job_id == sample_jobs.c.job_id)
        .where(sample_jobs.c.sample_id == sample_id)
        .group_by(sample_jobs.c.sample_id, sample_jobs.c.job_id)
        .order_by(sample_jobs.c.place)
    )
    return [_opinion(row) for row in connection.execute(query)]


def _opinion(row: Row[Any]) -> Opinion:
    has, should_have = {}, {}
    for number, category in enumerate(Category):
        flag, wanted = row._mapping[f"category_{2 * number}"], row._mapping[f"category_{2 * number + 1}"]
        has[category] = flag
        should_have[category] = None if not row.said or 0 < wanted < row.said else wanted > 0
    return Opinion(row.job_id, row.stratum, row.client_id, row.is_prohibited, row.is_wrong, has, should_have)
