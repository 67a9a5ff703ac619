"""The list of samples, each with how far it is."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.quality.progress import read_progress
from dashboard.address.zones import browser_zone
from dashboard.quality.head import show_progress
from dashboard.session.resources import Resources
from dashboard.widgets.markdown_escape import escape
from dashboard.widgets.step_button import show_step
from dashboard.widgets.words import name_time

NONE_YET = (
    "No sample has been drawn yet. Filter the jobs you want to know about on Jobs or Categories, and choose "
    "“Draw a sample” there."
)


def show_samples(resources: Resources, samples: Sequence[Row[Any]]) -> None:
    """Show the samples, the newest first, or say how one is drawn."""
    if not samples:
        st.info(NONE_YET, icon=":material/casino:")
        st.page_link("jobs/page.py", label="Jobs", icon=":material/list:")
        return
    st.caption("A sample is drawn by chance, so what people say of its jobs holds for all that it was drawn from.")
    for sample in samples:
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(sample.name)
                st.space("stretch")
                params = {"sample": str(sample.sample_id)}
                label = f"Open {escape(sample.name)}"
                show_step(label, ":material/bar_chart:", params, key=f"open_{sample.sample_id}")
            st.text(f"Drawn {name_time(sample.drawn_at, browser_zone())}")
            show_progress(read_progress(resources.databases, sample))
