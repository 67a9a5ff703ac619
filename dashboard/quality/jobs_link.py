"""The way from a number to its jobs."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.jobs.filter import MOST_JOB_IDS


def show_jobs_link(label: str, jobs: Sequence[UUID], sample: Row[Any]) -> None:
    """Show a link to some jobs of a sample; of more than a filter takes, to the first."""
    if not jobs:
        return
    shown = jobs[:MOST_JOB_IDS]
    count = "1 job" if len(jobs) == 1 else f"{len(jobs):,} jobs"
    some = f", the first {MOST_JOB_IDS}" if len(shown) < len(jobs) else ""
    st.page_link(
        "jobs/page.py",
        label=f"{label}: {count}{some}",
        icon=":material/arrow_forward:",
        icon_position="right",
        query_params={
            "from": sample.filter["from"],
            "to": sample.filter["to"],
            "job_id": ",".join(str(job_id) for job_id in shown),
        },
    )
