"""Whether those who judged the jobs of a sample agree: on rejecting them, for each reason, and on each category."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, not_, select

from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs, sample_strata
from core.jobs.filter import Category
from core.jobs.strata import Stratification
from core.policy.outdated import COUNTS
from core.review.agreement import Agreement, Counts, measure
from core.review.verdicts import IS_FIRM, WOULD_REJECT


@dataclass(frozen=True, slots=True)
class SampleAgreement:
    """Agreement on the jobs of a sample; of the judged jobs alone, not of all that they were drawn from.

    `reasons`: of jobs with a reason (None: without one), the commonest first; None where the sample does not tell jobs
    apart by it. `categories`: on whether the job should bear it, where people said so.
    """

    decisions: Agreement
    categories: dict[Category, Agreement]
    reasons: dict[str | None, Agreement] | None


def measure_agreement_of(databases: Databases, sample_id: UUID, strata_by: Sequence[str]) -> SampleAgreement:
    """Measure it by the verdicts that count now; who was not sure, or escalated, has said nothing of a decision."""
    said = func.count(reviews.c.categories)
    wanted = [func.count().filter(reviews.c.categories.any_() == category.value) for category in Category]
    query = (
        select(
            sample_strata.c["values"],
            func.count().filter(IS_FIRM, WOULD_REJECT),
            func.count().filter(IS_FIRM, not_(WOULD_REJECT)),
            said,
            *wanted,
        )
        .select_from(sample_jobs)
        .join(reviews, (reviews.c.job_id == sample_jobs.c.job_id) & COUNTS)
        .join(
            sample_strata,
            (sample_strata.c.sample_id == sample_jobs.c.sample_id) & (sample_strata.c.stratum == sample_jobs.c.stratum),
        )
        .where(sample_jobs.c.sample_id == sample_id)
        .group_by(sample_jobs.c.job_id, sample_strata.c["values"])
        .having(func.count() >= 2)
    )
    with databases.ours.transaction() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    place = list(strata_by).index(Stratification.REASON) if Stratification.REASON in strata_by else None
    return SampleAgreement(
        measure(Counter((yes, no) for _, yes, no, *_ in rows)),
        {
            category: measure(Counter((row[4 + number], row[3] - row[4 + number]) for row in rows))
            for number, category in enumerate(Category)
        },
        None if place is None else _by_reason(rows, place),
    )


def _by_reason(rows: Sequence[tuple[Any, ...]], place: int) -> dict[str | None, Agreement]:
    counted: dict[str | None, Counter[Counts]] = {}
    for values, yes, no, *_ in rows:
        counted.setdefault(values[place], Counter())[yes, no] += 1
    measured = {reason: measure(counts) for reason, counts in counted.items()}
    return dict(sorted(measured.items(), key=lambda one: (-one[1].jobs, str(one[0]))))
