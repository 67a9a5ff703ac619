"""Who did what this week, for leads: by person and queue, and nothing of how quickly."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from core.actor import Actor
from core.instants import day_start, in_zone
from core.quality.samples import list_samples
from core.review.verdicts import Verdict
from core.review.week import Work, list_work
from dashboard.open_job.review import VERDICTS
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.resources import get_resources
from dashboard.widgets.table import ROW_HEIGHT, fit_height

ELSEWHERE = "No shared queue"


@dialog("Who did what this week", scopes=ADMINS, width="large")
def week_dialog(person: Actor, zone: ZoneInfo) -> None:
    """Show the verdicts that count, since Monday, by person in the order of the alphabet."""
    databases = get_resources().databases
    today = in_zone(datetime.now(UTC), zone).date()
    monday = today - timedelta(days=today.weekday())
    samples = {sample.sample_id: f"Sample {sample.name}" for sample in list_samples(databases, person.wall)}
    work = list_work(databases, person, day_start(monday, zone), samples)
    st.caption(f"Verdicts that count, given since Monday, {monday:%Y-%m-%d} ({zone.key}).")
    if not work:
        st.info("Nobody has reviewed anything this week yet.", icon=":material/groups:")
        return
    frame = to_frame(work)
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        key="week",
        alt="Verdicts of this week by person and queue",
    )


def to_frame(work: list[Work]) -> pd.DataFrame:
    """Tell of each person and queue how many verdicts of each kind there are."""
    return pd.DataFrame(
        {
            "Person": [one.person for one in work],
            "Queue": [one.queue or ELSEWHERE for one in work],
            **{VERDICTS[verdict][0]: [one.verdicts[verdict] for one in work] for verdict in Verdict},
        }
    )
