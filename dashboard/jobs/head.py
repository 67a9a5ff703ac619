"""The head of the Jobs page: what is looked at, in two rows, or folded into one button that says it."""

from datetime import datetime

import streamlit as st

from core.actor import Actor
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import DECISION_WORDS
from dashboard.address.periods import PRESETS, describe, name_days
from dashboard.address.view import View
from dashboard.address.zones import shown_zone
from dashboard.jobs.filter_chips import list_chips, show_chips
from dashboard.jobs.filter_form import show_form, show_form_error, show_period
from dashboard.widgets.fields import forget_forms


def show_head(view: View, person: Actor, now: datetime) -> None:
    """Show period, days, decision and filters, and a chip for each filter."""
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title("Jobs", width="content")
            show_period(view, now)
            st.space("stretch")
            st.button("Refresh", icon=":material/refresh:", key="refresh", type="tertiary")
        with st.container(horizontal=True, vertical_alignment="center"):
            show_form(view, person.wall, is_folded=False)
            show_chips(view)
    show_form_error()


def show_folded_head(view: View, person: Actor, now: datetime) -> None:
    """Show all of it behind one button that says what is looked at; nothing of it is drawn before it is opened."""
    folded = st.popover(say_view(view), icon=":material/filter_list:", key="head", on_change="rerun")
    if not folded.open:
        forget_forms()
        return
    with folded:
        st.caption(describe(view.job_filter.range, shown_zone(view)))
        show_period(view, now)
        show_form(view, person.wall, is_folded=True)
        show_chips(view)


def say_view(view: View) -> str:
    """Say what is looked at in a few words: decision, further filters, period."""
    plain = JobFilter(range=view.job_filter.range, decision=view.job_filter.decision)
    decisions = " or ".join(DECISION_WORDS[decision] for decision in view.job_filter.decision)
    more = len(list_chips(view.job_filter)) - len(list_chips(plain))
    filters = "" if not more else ", 1 more filter" if more == 1 else f", {more} more filters"
    period = PRESETS.get(view.preset or "") or name_days(view.job_filter.range, shown_zone(view))
    return f"{(decisions or 'all').capitalize()} jobs{filters} · {period}"
