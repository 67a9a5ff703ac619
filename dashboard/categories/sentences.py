"""What the charts of categories show, in sentences: for those who do not see them, and for those who skim."""

from collections.abc import Callable, Mapping, Sequence

from core.counts.log_coverage import FEWEST_JOBS, Coverage
from core.counts.outcomes import Sums, share
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from dashboard.categories.charts import print_share
from dashboard.categories.days import ShownDay, name_day


def say_decisions(days: Sequence[ShownDay], sums: Sums) -> str:
    """Say how the jobs of the range were decided, and on which day most were rejected."""
    sentence = (
        f"{_count(sums.jobs, 'job')} in {_count(len(days), 'day')}: {sums.rejected:,} rejected, "
        f"{sums.passed:,} passed, {sums.undecided:,} undecided."
    )
    return sentence + _most(days, "rejected", lambda day: day.sums.rejected)


def say_flags(days: Sequence[ShownDay], sums: Sums) -> str:
    """Say how many jobs are flagged, and on which day the most are."""
    return f"{_count(sums.any_flagged, 'job')} with a flag." + _most(days, "flagged", lambda day: day.sums.any_flagged)


def say_rates(days: Sequence[ShownDay], sums: Sums) -> str:
    """Say each rate over the range, and when the rejected ones' was highest."""
    shares = [
        f"{print_share(sums.rejected, sums.decided)} of the decided jobs are rejected",
        *(
            f"{print_share(sums.flagged[category], sums.evaluated)} of those with a log are {CATEGORY_NAMES[category]}"
            for category in Category
        ),
    ]
    sentence = "Over the whole period, " + "; ".join(shares) + "."
    enough = {day.day: day for day in days if day.sums.decided >= FEWEST_JOBS}
    if not enough:
        return sentence
    highest = max(enough.values(), key=lambda day: share(day.sums.rejected, day.sums.decided) or 0)
    return (
        f"{sentence} The rate of rejection is highest on {name_day(highest.day)}: "
        f"{print_share(highest.sums.rejected, highest.sums.decided)}, {highest.sums.rejected:,} of "
        f"{highest.sums.decided:,}."
    )


def say_together(sums: Sums, together: Mapping[frozenset[Category], int]) -> str:
    """Say how many flagged jobs have several flags, and with which other each category comes most often."""
    several = sum(total for flags, total in together.items() if len(flags) > 1)
    sentences = [f"Of {_count(sums.any_flagged, 'flagged job')}, {several:,} have several flags."]
    for category in Category:
        others = {
            other: sum(total for flags, total in together.items() if {category, other} <= flags)
            for other in Category
            if other is not category
        }
        other = max(others, key=others.__getitem__)
        if others[other]:
            sentences.append(
                f"{CATEGORY_NAMES[category]} comes most often with {CATEGORY_NAMES[other]}: "
                f"{others[other]:,} of {sums.flagged[category]:,} "
                f"({print_share(others[other], sums.flagged[category])})."
            )
    return " ".join(sentences)


def say_coverage(days: Sequence[ShownDay], whole: Coverage) -> str:
    """Say how many decided jobs have no log, and on which day the share of these is highest."""
    without = whole.decided - whole.with_log
    sentence = (
        f"{without:,} of {_count(whole.decided, 'decided job')} have no log ({print_share(without, whole.decided)})."
    )
    enough = [day for day in days if day.coverage.decided >= FEWEST_JOBS]
    if not without or not enough:
        return sentence
    worst = min(enough, key=lambda day: day.coverage.share or 0)
    missing = worst.coverage.decided - worst.coverage.with_log
    return (
        f"{sentence} The share is highest on {name_day(worst.day)}: {print_share(missing, worst.coverage.decided)}, "
        f"{missing:,} of {worst.coverage.decided:,}."
    )


def say_drops(usual: float, drops: Sequence[ShownDay]) -> str:
    """Warn of days on which many more jobs than usual have no log."""
    named = ", ".join(
        f"{name_day(day.day)} ({print_share(day.coverage.with_log, day.coverage.decided)})" for day in drops[-5:]
    )
    more = f", the last five of {len(drops)} such days" if len(drops) > 5 else ""
    return (
        f"Logs are missing: usually {usual:.1%} of the decided jobs of a day have a log, "
        f"but fewer on {named}{more}. What was decided without a log cannot be checked by category."
    )


def say_partial(days: Sequence[ShownDay]) -> str | None:
    """Say which days are not counted as a whole, or return None."""
    partial = [name_day(day.day) for day in days if day.is_partial]
    if not partial:
        return None
    if len(partial) > 2:
        return f"{len(partial)} days are not over yet or lie partly outside the period: they are marked “part”."
    which = (
        "is only partly counted, because it is" if len(partial) == 1 else "are only partly counted, because they are"
    )
    return f"{' and '.join(partial)} {which} not over yet or partly outside the period: marked “part”."


def _most(days: Sequence[ShownDay], what: str, number: Callable[[ShownDay], int]) -> str:
    most = max(days, key=number, default=None)
    if most is None or not number(most):
        return ""
    return f" Most were {what} on {name_day(most.day)}: {number(most):,}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
