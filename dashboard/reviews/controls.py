"""What stands beside the job: the queues with what each holds, the order, and which jobs they are of."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.jobs.filter_sentence import describe_filter
from core.review.queues import Queue
from dashboard.address.view import View
from dashboard.reviews.address import QUEUES
from dashboard.reviews.queue_counts import Count
from dashboard.session.admission import admitted

Counts = dict[Queue, Count | None]


def show_controls(
    view: View, queue: Queue, is_sampled: bool, counts: Counts, on_choose: Callable[[Queue, bool], None]
) -> None:
    """Show which queue, in which order, of which jobs; `on_choose` is called with another queue or order."""
    st.session_state["queue"], st.session_state["sampled"] = queue, is_sampled

    def choose() -> None:
        on_choose(st.session_state["queue"], st.session_state["sampled"])

    st.radio(
        "Queue",
        list(QUEUES),
        key="queue",
        format_func=QUEUES.__getitem__,
        captions=[name_count(counts.get(item)) for item in QUEUES],
        on_change=admitted(choose),
    )
    st.toggle(
        "Spread over the whole period",
        key="sampled",
        disabled=queue is not Queue.NEW,
        help="Takes jobs from all parts of the period in turn, in place of the newest first.",
        on_change=admitted(choose),
    )
    st.caption("Of these jobs")
    st.text(describe_filter(view.job_filter, longest=60))
    params = replace(view, job=None, after=None).to_params()
    st.page_link("jobs/page.py", label="Choose other jobs", icon=":material/filter_alt:", query_params=params)


def name_count(count: Count | None) -> str:
    """Say how many jobs a queue holds; nothing where that is not known."""
    if count is None:
        return "\N{EN DASH}"
    return "1 job" if count == Count(1) else f"{count} jobs"
