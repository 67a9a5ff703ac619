"""The figures of a sample in words, the same on the page, in the report and in the shell."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from core.characters import quote
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.strata import Stratification
from core.quality.answers import Answer, Group
from core.quality.errors import Errors
from core.quality.figures import Change, Figure
from core.quality.policies import Versions
from core.quality.progress import Progress
from core.review.agreement import Agreement
from core.review.sample_agreement import SampleAgreement

# Characters of a reason or a client.
LONGEST = 80

STRATIFICATION_WORDS = {
    Stratification.DECISION: "decision",
    Stratification.CATEGORY: "categories",
    Stratification.REASON: "reason",
    Stratification.CLIENT: "client",
}


def list_figures(answer: Answer) -> list[tuple[str, Figure]]:
    """Name the figures of rejection, the most important first."""
    return [
        ("Rejections that are wrong", answer.wrong_rejections),
        ("Passes that should have been rejected", answer.wrong_passes),
        ("Precision of rejection", answer.precision),
        ("Recall of rejection", answer.recall),
    ]


def list_flag_figures(answer: Answer) -> list[tuple[str, Figure]]:
    """Name the figures of each category's flag."""
    return [
        (f"{what} of the flag {CATEGORY_NAMES[category]}", figure)
        for category, flag in answer.flags.items()
        for what, figure in (("Precision", flag.precision), ("Recall", flag.recall))
    ]


def say_share(figure: Figure) -> str:
    """Say a share; where jobs are unclear, the least and the most that it can be."""
    if figure.bounds is None:
        return "–"
    low, high = f"{figure.bounds.lower.share:.1%}", f"{figure.bounds.upper.share:.1%}"
    return low if low == high else f"{low} to {high}"


def say_interval(figure: Figure) -> str:
    return "" if figure.bounds is None else f"{figure.bounds.low:.1%} to {figure.bounds.high:.1%}"


def say_figure(figure: Figure) -> str:
    """Say all of a figure in one sentence."""
    if figure.bounds is None:
        return f"this sample does not say: {figure.why_not}."
    depends_on = say_what_is_open(figure)
    interval = say_interval(figure).replace(" to ", " and ")
    said = f"{say_share(figure)}{depends_on and f', depending on {depends_on}'} (with 95 % between {interval})."
    return f"{said} {say_corrected(figure)}".rstrip()


def say_corrected(figure: Figure) -> str:
    """Say what a figure would be if reviewers erred as on known jobs; empty where that is not known."""
    if figure.corrected is None:
        return ""
    lower, upper = figure.corrected.lower.share, figure.corrected.upper.share
    share = " to ".join(dict.fromkeys(f"{one:.1%}" for one in sorted((lower, upper))))
    low, high = f"{figure.corrected.low:.1%}", f"{figure.corrected.high:.1%}"
    return f"Corrected for reviewers' errors {share} (with 95 % between {low} and {high})."


def say_errors(errors: Errors) -> str:
    """Say how often those who have judged a sample err, or that nobody knows, and what the intervals are worth then."""
    if errors.passed is None or errors.rejected is None:
        return f"Intervals are of chance in drawing alone. {errors.why_not}"
    passed, rejected = (
        f"{one.share:.1%} ({one.low:.1%} to {one.high:.1%})" for one in (errors.passed, errors.rejected)
    )
    of_passed, of_rejected = errors.verdicts
    return (
        f"On known jobs those who have judged this passed {passed} of {of_passed:,} that should be rejected, and "
        f"rejected {rejected} of {of_rejected:,} that should pass. Known jobs are harder than most: the truth is "
        "likely between the figures as judged and those that are corrected for such errors."
    )


def say_what_is_open(figure: Figure) -> str:
    """Say what makes the least and the most differ; empty where nothing does."""
    parts = []
    if figure.unclear:
        parts.append(_count(len(figure.unclear), "unclear job"))
    if figure.unjudged_strata:
        parts.append(f"{_count(figure.unjudged_strata, 'kind')} of jobs without a judged one yet")
    return " and ".join(parts)


def say_more(figure: Figure) -> str:
    """Say how many more jobs would make the interval half as wide; empty where none would."""
    more = figure.to_halve
    return f"About {_count(more, 'more judged job')} would make the interval half as wide." if more else ""


def say_change(change: Change) -> str:
    """Say how a figure differs from the one of another sample, in points."""
    least, most = f"{change.least * 100:+.1f}", f"{change.most * 100:+.1f}"
    share = least if least == most else f"{least} to {most}"
    verdict = "more than chance" if change.is_more_than_chance else "may be chance"
    return f"{share} points ({change.low * 100:+.1f} to {change.high * 100:+.1f}): {verdict}"


def name_group(group: Group, by: Sequence[str]) -> str:
    """Name the jobs of a group by their decision and by what tells them apart beside it."""
    decision = "Rejected" if group.is_prohibited else "Passed"
    return ", ".join([decision, *(name_value(value, kind) for value, kind in zip(group.values[1:], by, strict=True))])


def name_value(value: Any, kind: str) -> str:
    """Name what tells a stratum apart; reasons and clients are words of others."""
    if kind == Stratification.CATEGORY:
        if value is None:
            return "no moderation log"
        return " and ".join(CATEGORY_NAMES[each] for each in CATEGORY_NAMES if each.value in value.split()) or "no flag"
    word = STRATIFICATION_WORDS[Stratification(kind)]
    return f"no {word}" if value is None else quote(str(value), LONGEST) if value else f"an empty {word}"


def list_agreements(agreement: SampleAgreement) -> list[tuple[str, Agreement]]:
    """Name what people may agree on: the decision, each category, and the decision for each reason."""
    return [
        ("Whether to reject", agreement.decisions),
        *((f"Whether it is {CATEGORY_NAMES[category]}", one) for category, one in agreement.categories.items()),
        *(
            (f"Whether to reject, {name_value(reason, Stratification.REASON)}", one)
            for reason, one in (agreement.reasons or {}).items()
        ),
    ]


def say_alpha(agreement: Agreement) -> tuple[str, str]:
    """Say Krippendorff's alpha and its interval."""
    interval = agreement.interval
    return (
        "–" if agreement.alpha is None else f"{agreement.alpha:.2f}",
        "–" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}",
    )


def say_how_drawn(sample: Row[Any], answer: Answer) -> str:
    """Say how many jobs were drawn from how many, told apart by what, and from which seed."""
    jobs = sum(group.jobs or 0 for group in answer.strata)
    kinds = " and ".join(STRATIFICATION_WORDS[Stratification(kind)] for kind in sample.strata)
    strata = _count(len(answer.strata), "kind")
    return f"{_count(answer.drawn, 'job')} of {jobs:,}, by chance from {strata} by {kinds}; seed {sample.seed}."


def say_how_judged(sample: Row[Any]) -> str:
    """Say who judges a sample and how."""
    people = "Everybody takes part" if sample.people is None else f"{_count_people(len(sample.people))} take part"
    said = [
        f"{people}; each job is judged by {_count_people(sample.opinions)}",
        "without seeing its decision" if sample.is_blind else "with its decision in sight",
    ]
    if sample.needs_categories:
        said.append("with its categories")
    if sample.last_day is not None:
        said.append(f"until {sample.last_day:%Y-%m-%d}")
    return ", ".join(said) + "."


def say_versions(versions: Versions) -> list[str]:
    """Say under which versions of the policy verdicts were given, as far as there were any, and which are left out."""
    said = []
    if versions.oldest is not None and versions.newest is not None:
        one = versions.oldest == versions.newest
        numbers = f"version {versions.oldest}" if one else f"versions {versions.oldest} to {versions.newest}"
        without = f", {_count(versions.without, 'verdict')} before there was one" if versions.without else ""
        said.append(f"Judged under {numbers} of the policy{without}.")
    if versions.left_out:
        verdicts, them = ("1 verdict", "it") if versions.left_out == 1 else (f"{versions.left_out:,} verdicts", "them")
        said.append(
            f"{verdicts} under an earlier policy left out, as whoever changed it has decided: judge {them} again."
        )
    return said


def say_progress(progress: Progress, zone: ZoneInfo) -> str:
    """Say how many opinions there are of those that are wanted, at what pace they come, and when there will be all."""
    said = f"{progress.given:,} of {_count(progress.wanted, 'opinion')}"
    if progress.per_day is not None:
        said += f", {progress.per_day:,.0f} a day"
    if progress.done_at is not None:
        local = progress.done_at.astimezone(zone)
        said += f": done about {local:%a} {local.day} {local:%b} {local.year}"
    return f"{said}."


def _count_people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
