"""What verdicts on a sample say of all the jobs that it was drawn from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs, sample_strata
from core.quality.estimates import Estimate, Stratum, estimate_ratio, estimate_share
from core.review.verdicts import IS_FIRM, WOULD_REJECT


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a stratum's jobs: how many there are, were drawn and judged, and how many are wrong or unclear.

    Unclear are jobs of which reviewers are not sure, or on which they disagree.
    """

    values: tuple[Any, ...]
    is_prohibited: bool
    jobs: int
    drawn: int
    judged: int
    wrong: int
    unclear: int

    def stratum(self, *, unclear_is_wrong: bool, hits_are_right: bool = False) -> Stratum:
        wrong = self.wrong + (self.unclear if unclear_is_wrong else 0)
        return Stratum(self.jobs, self.judged, self.judged - wrong if hits_are_right else wrong)


@dataclass(frozen=True, slots=True)
class Bounds:
    """An answer as far as the verdicts go: with every unclear job taken for right, and for wrong.

    The two are the same where nothing is unclear. The interval of the answer reaches from the lower bound of one to the
    upper bound of the other.
    """

    lower: Estimate
    upper: Estimate

    @property
    def low(self) -> float:
        return min(self.lower.low, self.upper.low)

    @property
    def high(self) -> float:
        return max(self.lower.high, self.upper.high)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answers of a sample; None where it does not say: no such job was judged, or a stratum has none judged."""

    drawn: int
    judged: int
    strata: Sequence[Judged]
    wrong_rejections: Bounds | None
    wrong_passes: Bounds | None
    # Of all jobs that should be rejected, the share that is.
    recall: Bounds | None


def answer_sample(databases: Databases, sample_id: UUID) -> Answer:
    """Estimate from the verdicts that count now; a sample that is only begun answers with what there is."""
    return _answer(read_judged(databases, sample_id))


def read_judged(databases: Databases, sample_id: UUID) -> list[Judged]:
    """Count, for each stratum of a sample, what was drawn, judged, found wrong, and left unclear."""
    # By job: whether all who are sure would decide otherwise, and whether anybody is not sure or disagrees.
    said = (
        select(
            reviews.c.job_id,
            func.bool_or(IS_FIRM & (reviews.c.is_prohibited != WOULD_REJECT)).label("any_wrong"),
            func.bool_and(IS_FIRM & (reviews.c.is_prohibited != WOULD_REJECT)).label("all_wrong"),
            func.bool_and(IS_FIRM).label("all_firm"),
        )
        .where(
            reviews.c.superseded_at.is_(None),
            reviews.c.job_id.in_(select(sample_jobs.c.job_id).where(sample_jobs.c.sample_id == sample_id)),
        )
        .group_by(reviews.c.job_id)
        .subquery("said")
    )
    is_clear = said.c.all_firm & (said.c.all_wrong == said.c.any_wrong)
    query = (
        select(
            sample_strata.c["values"],
            sample_strata.c.population,
            func.count(sample_jobs.c.job_id).label("drawn"),
            func.count(said.c.job_id).label("judged"),
            func.count().filter(is_clear & said.c.all_wrong).label("wrong"),
            func.count().filter(~is_clear).label("unclear"),
        )
        .select_from(
            sample_strata.outerjoin(
                sample_jobs,
                (sample_jobs.c.sample_id == sample_strata.c.sample_id)
                & (sample_jobs.c.stratum == sample_strata.c.stratum),
            ).outerjoin(said, said.c.job_id == sample_jobs.c.job_id)
        )
        .where(sample_strata.c.sample_id == sample_id)
        .group_by(sample_strata.c.stratum, sample_strata.c["values"], sample_strata.c.population)
        .order_by(sample_strata.c.stratum)
    )
    with databases.ours.transaction() as connection:
        return [_judged(row) for row in connection.execute(query)]


def _judged(row: Row[Any]) -> Judged:
    told = tuple(row._mapping["values"])
    return Judged(told, bool(told[0]), row.population, row.drawn, row.judged, row.wrong, row.unclear)


def _answer(strata: Sequence[Judged]) -> Answer:
    rejected = [stratum for stratum in strata if stratum.is_prohibited]
    passed = [stratum for stratum in strata if not stratum.is_prohibited]
    recalls = [
        estimate_ratio(
            [one.stratum(unclear_is_wrong=unclear, hits_are_right=True) for one in rejected],
            [one.stratum(unclear_is_wrong=unclear) for one in passed],
        )
        for unclear in (True, False)
    ]
    return Answer(
        sum(one.drawn for one in strata),
        sum(one.judged for one in strata),
        strata,
        share_of_wrong(rejected),
        share_of_wrong(passed),
        _bounds(*recalls),
    )


def share_of_wrong(strata: Iterable[Judged]) -> Bounds | None:
    """Estimate which share of the decisions of some strata is wrong."""
    strata = list(strata)
    return _bounds(
        *(estimate_share([one.stratum(unclear_is_wrong=unclear) for one in strata]) for unclear in (False, True))
    )


def _bounds(lower: Estimate | None, upper: Estimate | None) -> Bounds | None:
    return None if lower is None or upper is None else Bounds(lower, upper)
