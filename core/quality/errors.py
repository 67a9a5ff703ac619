"""How often those who have judged a sample err, as far as jobs with a settled answer tell, and what that does to it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, func, select

from core.actor import Actor, Scope
from core.db.schema import reviews, sample_jobs
from core.gold.tables import gold_turns
from core.policy.outdated import COUNTS
from core.quality.estimates import Estimate, Stratum, correct_share, estimate_ratio_of, estimate_share
from core.quality.figures import Bounds, Figure

# What is looked back at, and how many verdicts on known jobs that should be rejected, and on others, tell anything.
_PERIOD = timedelta(days=365)
_FEWEST = 30

# Of whom nothing is known may have given this share of the opinions; where more jobs than this have two of them,
# mistakes show as disagreement, and hardly any is left to correct.
_MOST_UNKNOWN = _MOST_WITH_TWO = 0.05

# Of fewer people than this the rates would tell of one of them, which is for themselves and for admins.
_PEOPLE = 3

_UNKNOWN = "How often reviewers err is not known"
_NOT_TOLD = "How often reviewers err is told to admins alone: so few have judged this that it would tell of one person."
_TWO = "Where two people have judged a job their mistakes show as disagreement, unless both make the same."

# So many that no number of verdicts comes near: what is asked for is how people judge, not these jobs.
_ENDLESS = 10**9


@dataclass(frozen=True, slots=True)
class Errors:
    """How often reviewers pass what should be rejected, and how often they reject what should pass, on known jobs.

    Either is None where that is not known, and `why_not` says why in a sentence. `verdicts` are how many tell of each.
    """

    passed: Estimate | None
    rejected: Estimate | None
    verdicts: tuple[int, int]
    why_not: str = ""


def read_errors(connection: Connection, sample_id: UUID, by: Actor | None) -> Errors:
    """Read how often those who have judged a sample err; each counts as often as they have judged it.

    `by`: whom it is told; None: whoever asks.
    """
    judged = sample_jobs.join(reviews, (reviews.c.job_id == sample_jobs.c.job_id) & COUNTS)
    of_sample = sample_jobs.c.sample_id == sample_id
    query = select(reviews.c.person, func.count()).select_from(judged).where(of_sample).group_by(reviews.c.person)
    given = {person: int(number) for person, number in connection.execute(query)}
    by_job = select(func.count().label("number")).select_from(judged).where(of_sample).group_by(reviews.c.job_id)
    each = by_job.subquery("each")
    jobs, with_two = connection.execute(
        select(func.count(), func.count().filter(each.c.number > 1)).select_from(each)
    ).one()
    if not jobs:
        return Errors(None, None, (0, 0), "Nothing is judged yet.")
    if with_two > jobs * _MOST_WITH_TWO:
        return Errors(None, None, (0, 0), _TWO)
    if not _may_be_told(by, set(given)):
        return Errors(None, None, (0, 0), _NOT_TOLD)
    tells = (gold_turns.c.is_right.is_not(None), gold_turns.c.judged_at > func.now() - _PERIOD)
    wrong = func.count().filter(gold_turns.c.is_right.is_(False))
    known = select(gold_turns.c.person, gold_turns.c.should_reject, func.count(), wrong).where(
        gold_turns.c.person == func.any(list(given)), *tells
    )
    counted = {
        (person, way): (int(number), int(missed))
        for person, way, number, missed in connection.execute(
            known.group_by(gold_turns.c.person, gold_turns.c.should_reject)
        )
    }
    rates, verdicts = [], []
    for way in (True, False):
        found = {person: counted[person, way] for person in given if (person, way) in counted}
        verdicts.append(sum(number for number, _ in found.values()))
        unknown = sum(number for person, number in given.items() if person not in found)
        if verdicts[-1] < _FEWEST or unknown > sum(given.values()) * _MOST_UNKNOWN:
            what = "should be rejected" if way else "should pass"
            return Errors(
                None, None, (0, 0), f"{_UNKNOWN}: those who have judged this have met too few known jobs that {what}."
            )
        rates.append(estimate_share([Stratum(given[person] * _ENDLESS, *each) for person, each in found.items()]))
    return Errors(rates[0], rates[1], (verdicts[0], verdicts[1]))


def _may_be_told(by: Actor | None, people: set[str]) -> bool:
    """Tell whether rates may be told, which somebody could take for those of another person."""
    if len(people) >= _PEOPLE:
        return True
    return by is not None and (Scope.ADMIN_CONFIG in by.scopes or people == {by.name})


def correct(
    errors: Errors, wrong_rejections: Figure, wrong_passes: Figure, precision: Figure, recall: Figure
) -> tuple[Figure, Figure, Figure, Figure]:
    """Say of each figure of rejection what it would be if reviewers erred as on known jobs."""
    rejections = _correct(wrong_rejections, errors.passed, errors.rejected)
    passes = _correct(wrong_passes, errors.rejected, errors.passed)
    rights = rejections and Bounds(_complement(rejections.upper), _complement(rejections.lower))
    found = None
    if rights is not None and passes is not None:
        jobs, others = precision.jobs, wrong_passes.jobs
        lower = estimate_ratio_of(rights.lower, jobs, passes.upper, others)
        upper = estimate_ratio_of(rights.upper, jobs, passes.lower, others)
        found = Bounds(lower, upper) if lower is not None and upper is not None else None
    return (
        replace(wrong_rejections, corrected=rejections),
        replace(wrong_passes, corrected=passes),
        replace(precision, corrected=rights),
        replace(recall, corrected=found),
    )


def _correct(figure: Figure, said_hit: Estimate | None, missed: Estimate | None) -> Bounds | None:
    if figure.bounds is None or said_hit is None or missed is None:
        return None
    lower = correct_share(figure.bounds.lower, figure.jobs, said_hit, missed)
    upper = correct_share(figure.bounds.upper, figure.jobs, said_hit, missed)
    return Bounds(lower, upper) if lower is not None and upper is not None else None


def _complement(one: Estimate) -> Estimate:
    return Estimate(1 - one.share, 1 - one.high, 1 - one.low, 1 - one.likely)
