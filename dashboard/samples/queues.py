"""The samples that somebody may judge, each with how many of its jobs are open for them."""

from datetime import UTC, datetime

import streamlit as st

from core.actor import Actor
from core.quality.queue import count_open
from core.quality.samples import list_samples
from core.review.participants import why_not
from dashboard.session.resources import Resources
from dashboard.widgets.markdown_escape import escape

# Samples that are looked at, the newest.
MOST = 5


def show_sample_queues(resources: Resources, person: Actor) -> None:
    """Show the way to each sample of which somebody may judge jobs now; nothing where there is none."""
    now, is_first = datetime.now(UTC), True
    for sample in list_samples(resources.databases, person.wall)[:MOST]:
        if why_not(sample, person, now) is not None:
            continue
        left = count_open(resources.databases, person, sample)
        if left:
            if is_first:
                st.caption("Samples to judge")
            is_first = False
            jobs = "1 job" if left == 1 else f"{left:,} jobs"
            st.page_link(
                "quality/page.py",
                # A long name is cut, and the number is not to be.
                label=f"{jobs}: {escape(sample.name)}",
                icon=":material/casino:",
                query_params={"sample": str(sample.sample_id), "judge": "true"},
            )
