"""Disagreements that deserve a second look: decision, categories and reason do not fit together, or no log exists."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from core.counts.outcomes import Combination
from core.jobs.filter import Category, Decision, JobFilter


class Disagreement(StrEnum):
    """What does not fit together."""

    REJECTED_WITHOUT_CAUSE = "rejected-without-cause"
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


def find_suspects(counted: Iterable[Combination], job_filter: JobFilter, with_reason: int) -> list[Suspects]:
    """Count each disagreement in what a filter's jobs were counted as, and say which filter means its jobs.

    `with_reason`: how many of the rejected jobs that no category flags have a reason.
    """
    counted = list(counted)
    explained = {Disagreement.REJECTED_WITHOUT_CAUSE: with_reason}
    return [
        Suspects(
            disagreement,
            # What is counted apart may have changed in between.
            max(
                0,
                sum(one.total for one in counted if _is_suspect(disagreement, one)) - explained.get(disagreement, 0),
            ),
            sum(one.total for one in counted if _is_possible(disagreement, one)),
            narrow(job_filter, disagreement),
        )
        for disagreement in Disagreement
    ]


def narrow(job_filter: JobFilter, disagreement: Disagreement) -> JobFilter | None:
    """Return the filter of those of its jobs that a disagreement means, or None where these contradict each other."""
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CAUSE:
            possible = _narrow_decision(job_filter, Decision.REJECT)
            asked = possible is not None and (possible.category or possible.reason or possible.reason_contains)
            if possible is None or asked or possible.flagged or possible.has_reason:
                return None
            return replace(possible, flagged=False, has_reason=False)
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            possible = _narrow_decision(job_filter, Decision.PASS)
            if possible is None or possible.no_category or possible.flagged is False:
                return None
            # Flagged as any of some categories is flagged as any of all.
            return replace(possible, category=possible.category or tuple(Category))
        case Disagreement.DECIDED_WITHOUT_LOG:
            possible = _narrow_decision(job_filter, Decision.REJECT, Decision.PASS)
            if possible is None or possible.evaluated:
                return None
            return replace(possible, evaluated=False)


def explained_filter(job_filter: JobFilter) -> JobFilter | None:
    """Return the filter of the rejected jobs that no category flags but a reason explains; None where none can be."""
    possible = _narrow_decision(job_filter, Decision.REJECT)
    if possible is None or possible.category or possible.flagged or possible.has_reason is False:
        return None
    return replace(possible, flagged=False, has_reason=True)


def _narrow_decision(job_filter: JobFilter, *wanted: Decision) -> JobFilter | None:
    both = tuple(decision for decision in wanted if decision in (job_filter.decision or wanted))
    return replace(job_filter, decision=both) if both else None


def _is_possible(disagreement: Disagreement, one: Combination) -> bool:
    """Tell whether the disagreement could be one of such jobs."""
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CAUSE:
            return one.is_prohibited is True
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            return one.is_prohibited is False and one.evaluated
        case Disagreement.DECIDED_WITHOUT_LOG:
            return one.is_prohibited is not None


def _is_suspect(disagreement: Disagreement, one: Combination) -> bool:
    if not _is_possible(disagreement, one):
        return False
    match disagreement:
        case Disagreement.REJECTED_WITHOUT_CAUSE:
            return not one.flags
        case Disagreement.PASSED_ALTHOUGH_FLAGGED:
            return bool(one.flags)
        case Disagreement.DECIDED_WITHOUT_LOG:
            return not one.evaluated
