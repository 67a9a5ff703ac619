"""How often people are right where the answer is settled: one's own figure for everybody, all of them for admins."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.gold.accuracy import FEWEST, RECENT, Accuracy, list_wrong, read_accuracy
from core.gold.turns import HIGHEST_RATE, read_rate, set_rate
from core.instants import print_instant
from core.jobs.filter import LONGEST_RANGE, MOST_JOB_IDS
from core.review.verdicts import Verdict
from dashboard.session.admission import ADMINS, as_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.table import ROW_HEIGHT, fit_height

# The field for the share, in percent.
SHARE = "known_share"


def show_accuracy(resources: Resources, person: Actor) -> None:
    """Show it, where settled jobs come back or have; admins also say how often they do."""
    is_admin = Scope.ADMIN_CONFIG in person.scopes
    rate = read_rate(resources.databases.ours)
    own = next(iter(read_accuracy(resources.databases, person)), None)
    if not (is_admin or rate or own):
        return
    st.header("Known answers")
    st.caption(
        "Some jobs come back whose answer is settled: three or more people disagreed and most of them now agree, or "
        "an admin decided. Nobody can tell which ones they are, and what is said of them is not a review."
    )
    if is_admin:
        _show_share(rate)
    if own is not None:
        st.text(f"Your verdicts on such jobs: {say_accuracy(own)}")
        _show_wrong(list_wrong(resources.databases, person))
    if is_admin:
        _show_everybody(read_accuracy(resources.databases))


def say_accuracy(one: Accuracy) -> str:
    """Say how often somebody was right, with the interval, and how often they were not sure."""
    unsure = f" Not sure or escalated: {one.unsure:,}." if one.unsure else ""
    if one.share is None:
        return f"none yet that says what is right.{unsure}"
    interval = f"with 95 % between {one.share.low:.1%} and {one.share.high:.1%}"
    return f"{one.right:,} of {one.judged:,} are right ({one.share.share:.1%}, {interval}).{unsure}"


def _show_share(rate: float) -> None:
    percent = round(rate * 100, 1)
    # Also where it was cleared, and where what was chosen could not be saved.
    if st.session_state.get(SHARE) != percent:
        st.session_state[SHARE] = percent
    st.number_input(
        "Share of such jobs among those that people are given, in percent",
        min_value=0.0,
        max_value=HIGHEST_RATE * 100,
        value=percent,
        step=1.0,
        format="%.1f",
        key=SHARE,
        width=440,
        help="0: none. In Reviews and where samples are judged.",
        on_change=as_person(_set_share, ADMINS),
    )


def _set_share(person: Actor) -> None:
    set_rate(get_resources().databases, person, st.session_state[SHARE] / 100)


def _show_wrong(wrong: Sequence[Row[Any]]) -> None:
    if not wrong:
        return
    frame = pd.DataFrame(
        {
            "When": [f"{row.judged_at:%Y-%m-%d %H:%M} UTC" for row in wrong],
            "You said": [_name_verdict(row) for row in wrong],
            "The answer is": ["Reject" if row.should_reject else "Pass" for row in wrong],
            "Job": [str(row.job_id) for row in wrong],
        },
        dtype="str",
    )
    with st.expander(f"What you got wrong: {len(wrong):,}"):
        st.dataframe(
            frame,
            hide_index=True,
            height=fit_height(len(frame)),
            row_height=ROW_HEIGHT,
            key="known_wrong",
            alt="What you got wrong, the latest first",
        )
        latest = max(row.job_created_at for row in wrong)
        near = [row for row in wrong if row.job_created_at > latest - LONGEST_RANGE][:MOST_JOB_IDS]
        st.page_link(
            "jobs/page.py",
            label="Show the job" if len(near) == 1 else f"Show these {len(near):,} jobs",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={
                "from": print_instant(min(row.job_created_at for row in near)),
                "to": print_instant(latest + timedelta(microseconds=1)),
                "job_id": ",".join(str(row.job_id) for row in near),
            },
        )


def _name_verdict(row: Row[Any]) -> str:
    """Say what a wrong verdict comes to: the opposite of the answer, and by which word."""
    word = "overturn" if row.verdict == Verdict.OVERTURN else "agree"
    return f"{'Pass' if row.should_reject else 'Reject'} ({word})"


def _show_everybody(everybody: Sequence[Accuracy]) -> None:
    if not everybody:
        st.caption("Nobody has been given such a job yet.")
        return
    dropped = [one.address for one in everybody if one.has_dropped]
    if dropped:
        who = "one person" if len(dropped) == 1 else f"{len(dropped):,} people"
        st.warning(
            f"The verdicts of {who} have become worse by more than chance: talk to them.",
            icon=":material/trending_down:",
        )
        st.text("\n".join(dropped))
    frame = to_frame(everybody)
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        key="known_people",
        alt="How often each person is right where the answer is settled",
    )
    st.caption(
        f"A drop is more than chance where the latest {RECENT} verdicts of somebody are right so much more seldom than "
        f"their own before that chance would bring it less than once in 20, for all people here together. It takes "
        f"{FEWEST} verdicts on either side."
    )


def to_frame(everybody: Sequence[Accuracy]) -> pd.DataFrame:
    """Tell of each person how often they are right, lately and before."""
    return pd.DataFrame(
        {
            "Person": [one.address for one in everybody],
            "Right": [f"{one.right:,} of {one.judged:,}" for one in everybody],
            "Share": ["–" if one.share is None else f"{one.share.share:.1%}" for one in everybody],
            "95% interval": [
                "–" if one.share is None else f"{one.share.low:.1%} to {one.share.high:.1%}" for one in everybody
            ],
            "Not sure": [f"{one.unsure:,}" for one in everybody],
            "Lately": [f"{one.recent[0]:,} of {one.recent[1]:,}" for one in everybody],
            "Before": [f"{one.before[0]:,} of {one.before[1]:,}" for one in everybody],
            "Drop": [_say_drop(one) for one in everybody],
        },
        dtype="str",
    )


def _say_drop(one: Accuracy) -> str:
    if one.drop is None:
        return "– too few to tell"
    return "↓ more than chance" if one.has_dropped else "✓ no more than chance"
