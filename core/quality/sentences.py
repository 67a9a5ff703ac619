"""The figures of a sample in words, the same on the page, in the report and in the shell."""

from collections.abc import Sequence
from typing import Any

from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.strata import Stratification
from core.quality.answers import Answer, Group
from core.quality.comparison import Change
from core.quality.figures import Figure

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
    unclear = f", depending on {_count(len(figure.unclear), 'unclear job')}" if figure.unclear else ""
    return f"{say_share(figure)}{unclear} (with 95 % between {say_interval(figure).replace(' to ', ' and ')})."


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
    return f"no {STRATIFICATION_WORDS[Stratification(kind)]}" if value in (None, "") else str(value)


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"
