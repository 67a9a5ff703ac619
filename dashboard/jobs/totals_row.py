"""The totals of the range and client in one line of words, and how they have changed since the time before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import streamlit as st

from core.actor import Actor
from core.counts.totals import Comparison, compare
from core.errors import DatabaseUnavailable, QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import DateRange, JobFilter
from core.jobs.wall import Wall
from dashboard.address.view import View
from dashboard.session.admission import fragment
from dashboard.session.resources import get_resources
from dashboard.session.step_cache import keep

# What the session keeps them as.
TOTALS = "totals"

# Of a period that was picked, or a month, as many days are compared.
BEFORE = {"24h": "the 24 hours before", "7d": "the 7 days before", "30d": "the 30 days before"}


# Beside the table, not before it: it asks the database at the same time.
@fragment(parallel=True)
def show_totals(person: Actor, view: View, now: datetime) -> None:
    """Show the totals; where they take too long, say so and leave the page as it is."""
    bounds, client_id = view.job_filter.range, view.job_filter.client_id
    try:
        found = keep(
            TOTALS,
            (bounds, client_id, person.wall),
            view.job,
            lambda: _compare(bounds, client_id, person.wall, now),
        )
    except QueryTooSlow:
        st.caption("Counting this period takes too long: choose a shorter one.")
        return
    except DatabaseUnavailable:
        # The page itself says so, and offers to try again.
        return
    before = BEFORE.get(view.preset or "", "the same length of time before")
    plain = JobFilter(range=bounds, client_id=client_id, decision=view.job_filter.decision)
    whole = "" if replace(view.job_filter, spreadsheet_safe=False) == plain else "Whole period: "
    # As large as what stands beside it: else it takes a second line in a window of 1,280, and moves the list down.
    st.markdown(f":small[{whole}{say_totals(found)}]", help="  \n".join(list_changes(found, before)))


def _compare(bounds: DateRange, client_id: str | None, wall: Wall, now: datetime) -> Comparison:
    resources = get_resources()
    source = resources.databases.source
    with source.transaction(timeout=resources.settings.fencepost_page_timeout, is_snapshot=True) as connection:
        return compare(connection, bounds, client_id, make_access(resources.databases, wall), now)


def say_totals(found: Comparison) -> str:
    """Say how many jobs were rejected, which share of the decided ones, and how many are neither, as Markdown."""
    now = found.now
    share = "" if now.rejected_share is None else f" · {now.rejected_share:.1%} of decided"
    return (
        f"**{now.rejected:,}** of {now.jobs:,} rejected{share} · **{now.undecided:,}** undecided · "
        f"**{now.not_evaluated:,}** not evaluated"
    )


def list_changes(found: Comparison, before: str) -> Iterator[str]:
    """Say each total beside that of the time before. Neither more nor fewer is good or bad by itself."""
    now, then = found.now, found.before
    yield f"Compared with {before}:"
    yield _say_change("Jobs", now.jobs, then.jobs)
    yield _say_change("Rejected", now.rejected, then.rejected)
    if now.rejected_share is not None and then.rejected_share is not None:
        points = round((now.rejected_share - then.rejected_share) * 100, 1)
        yield f"Share rejected: {now.rejected_share:.1%}, was {then.rejected_share:.1%} ({points:+} points)"
    yield _say_change("Undecided", now.undecided, then.undecided)
    yield _say_change("Not evaluated", now.not_evaluated, then.not_evaluated)


def _say_change(label: str, now: int, then: int) -> str:
    change = f" ({(now - then) / then:+.1%})" if then else ""
    return f"{label}: {now:,}, was {then:,}{change}"
