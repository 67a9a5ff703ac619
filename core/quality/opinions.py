"""What reviewers make of each job of a sample, as far as they have judged it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select

from core.db.schema import reviews, sample_jobs, sample_strata
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

    `is_wrong` is None where somebody is not sure or two disagree; `should_have` says of each category whether the job
    should bear it, None where nobody said so or two disagree.
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


def read_opinions(connection: Connection, sample_id: UUID) -> list[Opinion]:
    """Read what the verdicts that count make of the jobs of a sample that were judged."""
    # Somebody may have judged a decision that was changed since: what counts is whether the job should be rejected.
    is_wrong = sample_jobs.c.is_prohibited != WOULD_REJECT
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
            func.bool_and(IS_FIRM).label("all_firm"),
            func.bool_and(is_wrong).label("all_wrong"),
            func.bool_or(is_wrong).label("any_wrong"),
            said.label("said"),
            *(column.label(f"category_{number}") for number, column in enumerate(categories)),
        )
        .join(reviews, (reviews.c.job_id == sample_jobs.c.job_id) & COUNTS)
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
    is_clear = row.all_firm and row.all_wrong == row.any_wrong
    return Opinion(
        row.job_id,
        row.stratum,
        row.client_id,
        row.is_prohibited,
        row.all_wrong if is_clear else None,
        has,
        should_have,
    )
