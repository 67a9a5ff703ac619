"""Disagreements that deserve a second look: decision and categories do not fit together, or there is no log."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.counts.outcomes import Combination
from core.jobs.filter import Category, Decision, JobFilter


class Disagreement(StrEnum):
    """What does not fit together."""

    REJECTED_WITHOUT_CATEGORY = "rejected-without-category"
    PASSED_ALTHOUGH_FLAGGED = "passed-although-flagged"
    DECIDED_WITHOUT_LOG = "decided-without-log"


@dataclass(frozen=True, slots=True)
class Suspects:
    """The jobs of a disagreement: how many, and of how many that could have been.

    `job_filter` means exactly these jobs; None where the filter that they were counted with lets through none.
    """

    disagreement: Disagreement
    jobs: int
    possible: int
    job_filter: JobFilter | None


def find_suspects(counted: Iterable[Combination], job_filter: JobFilter) -> list[Suspects]:
    """Count each disagreement in what a filter's jobs were counted as, and say which filter means its jobs."""
    counted = list(counted)
    return [
        Suspects(
            disagreement,
            sum(one.total for one in counted if _is_suspect(disagreement, one)),
            sum(one.total for one in counted if _is_possible(disagreement, one)),
            narrow(job_filter, disagreement),
        )
        for disagreement in Disagreement
    ]


def narrow(job_filter: JobFilter, disagreement: Disagreement) -> JobFilter | None:
    """Return the filter of those of its jobs that a disagreement means, or None where these contradict each other."""
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CATEGORY:
            possible = _narrow_decision(job_filter, Decision.REJECT)
            if possible is None or possible.category:
                return None
            return replace(possible, no_category=True)
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            possible = _narrow_decision(job_filter, Decision.PASS)
            if possible is None or possible.no_category:
                return None
            # Flagged as any of some categories is flagged as any of all.
            return replace(possible, category=possible.category or tuple(Category))
        case Disagreement.DECIDED_WITHOUT_LOG:
            possible = _narrow_decision(job_filter, Decision.REJECT, Decision.PASS)
            if possible is None or possible.evaluated:
                return None
            return replace(possible, evaluated=False)


def _narrow_decision(job_filter: JobFilter, *wanted: Decision) -> JobFilter | None:
    both = tuple(decision for decision in wanted if decision in (job_filter.decision or wanted))
    return replace(job_filter, decision=both) if both else None


def _is_possible(disagreement: Disagreement, one: Combination) -> bool:
    """Tell whether the disagreement could be one of such jobs."""
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CATEGORY:
            return one.is_prohibited is True and one.evaluated
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            return one.is_prohibited is False and one.evaluated
        case Disagreement.DECIDED_WITHOUT_LOG:
            return one.is_prohibited is not None


def _is_suspect(disagreement: Disagreement, one: Combination) -> bool:
    if not _is_possible(disagreement, one):
        return False
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CATEGORY:
            return not one.flags
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            return bool(one.flags)
        case Disagreement.DECIDED_WITHOUT_LOG:
            return not one.evaluated
