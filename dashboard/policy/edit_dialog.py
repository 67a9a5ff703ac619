"""Writes a text of the policy: the words, how they look, and whether earlier verdicts still count."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from core.actor import Actor
from core.errors import InvalidParameter, QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import DateRange, JobFilter
from core.jobs.reasons import list_rules
from core.policy.texts import LONGEST_TEXT, Kind, Subject, read_policy, write_policy
from core.review.noted_reasons import read_noted
from dashboard.policy.history_dialog import name_about
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.once import make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.primary_button import emphasis
from dashboard.widgets.written_text import show_written

COUNT, OUT = "They still count", "They no longer count: their jobs must be judged again"

# Reasons that are offered, the commonest of so many days; any other can be typed. Seconds that counting may take.
MOST, RECENT, TIMEOUT = 200, timedelta(days=90), 1

PATTERN = "What it means, in a sentence or two.\n\n- Reject: an example\n- Pass: an example"


@dialog("Write the policy", scopes=ADMINS, width="large")
def edit_dialog(person: Actor, subject: Subject, version: int) -> None:
    """Ask for the text on a subject; `version` is that of the policy when somebody began."""
    _edit(person, subject, version)


@dialog("Write about a reason", scopes=ADMINS, width="large")
def choose_reason_dialog(person: Actor, version: int) -> None:
    """Ask for a reason, then for the text on it."""
    reason = st.selectbox(
        "Reason",
        _list_reasons(person),
        index=None,
        placeholder="Choose a reason, or type one exactly as jobs have it",
        accept_new_options=True,
        key="policy_of_reason",
    )
    if reason:
        _edit(person, Subject(Kind.REASON, reason), version)


def _edit(person: Actor, subject: Subject, version: int) -> None:
    row = read_policy(get_resources().databases.ours).texts.get(subject)
    place = f"{subject.kind}_{subject.value}_{version}"
    st.text(name_about(subject))
    writing, looking = st.tabs(["Text", "How it looks"])
    words = writing.text_area(
        "Text, in Markdown",
        "" if row is None else row.text,
        max_chars=LONGEST_TEXT,
        height=240,
        placeholder=PATTERN,
        help="With harmless examples. Pictures and HTML are not shown. Leave it empty to take the text back.",
        key=f"policy_words_{place}",
    )
    with looking:
        if words:
            show_written(words)
        else:
            st.caption("Nothing is written yet.")
    counting = st.radio(
        "Verdicts already given on jobs that this is about", [COUNT, OUT], index=None, key=f"counting_{place}"
    )
    refusal = st.container()
    if not st.button("Save", type=emphasis(), icon=":material/save:", key="policy_save"):
        return
    with refusals_in(refusal, "The policy was not changed."):
        if counting is None:
            raise InvalidParameter("Say whether verdicts already given still count.")
        databases = get_resources().databases
        with st.spinner("Saving …"):
            earlier_count = counting == COUNT
            make_once(
                lambda: write_policy(databases, person, subject, words, earlier_count=earlier_count, shown=version)
            )
        st.rerun()


def _list_reasons(person: Actor) -> list[str]:
    """List the names of rules; none where counting them takes too long."""
    databases, now = get_resources().databases, datetime.now(UTC)
    access = make_access(databases, person.wall)
    try:
        with databases.source.transaction(timeout=TIMEOUT) as connection:
            counted = list_rules(connection, JobFilter(range=DateRange(now - RECENT, now)), access, limit=MOST)
    except QueryTooSlow:
        counted = None
    return list(counted) if counted is not None else sorted(read_noted(databases).rules)[:MOST]
