"""What is done to holds: place one, and end one, each in a dialog of its own."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import streamlit as st

from core.actor import Actor
from core.errors import InvalidParameter
from core.keeping.holds import LONGEST_REASON, Held, end_hold, place_hold
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.confirmation import confirm
from dashboard.session.once import make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.client_select import ask_client
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.primary_button import emphasis

FURTHEST = date(2999, 12, 30)


@dialog("Place a hold", scopes=ADMINS, fresh_for="holds", width="medium")
def place_dialog(person: Actor) -> None:
    """Ask which jobs are held, and why."""
    st.write("Of what you fill in, all must be true of a job that is held.")
    databases = get_resources().databases
    client = ask_client(
        databases.source, person.wall, placeholder="Any client; type an id and press Enter", key="hold_client"
    )
    job = st.text_input("Job id", max_chars=40, key="hold_job")
    with st.container(horizontal=True):
        first = _ask_day("First day (UTC)", "hold_first")
        last = _ask_day("Last day (UTC)", "hold_last")
    reason = st.text_area(
        "Why they are held", max_chars=LONGEST_REASON, help="It stands in the audit.", key="hold_reason"
    )
    refusal = st.container()
    if st.button("Place hold", type=emphasis(), icon=":material/lock:", key="hold_place"):
        with refusals_in(refusal):
            held = Held(client or None, _parse_job(job), _begin(first), _begin(last, timedelta(days=1)))
            make_once(lambda: place_hold(databases, person, held, reason))
            st.rerun()


@dialog("End this hold?", scopes=ADMINS, fresh_for="holds")
def end_dialog(person: Actor, hold_id: UUID, name: str) -> None:
    """Ask once more, then end it."""
    st.text(name)
    st.write(
        "These jobs can then be erased, unless another hold keeps them. Once no hold is left, what is old is removed "
        "again. This one stays in the list."
    )
    confirm(
        "End hold",
        lambda: end_hold(get_resources().databases, person, hold_id),
        icon=":material/lock_open:",
        key="hold_end",
        keep="Keep it",
        keep_key="hold_keep",
    )


def _ask_day(label: str, key: str) -> date | None:
    day: date | None = st.date_input(
        label, None, min_value=date(1970, 1, 1), max_value=FURTHEST, format="YYYY-MM-DD", key=key
    )
    return day


def _begin(day: date | None, later: timedelta = timedelta()) -> datetime | None:
    return None if day is None else datetime.combine(day + later, time(), UTC)


def _parse_job(text: str) -> UUID | None:
    if not text.strip():
        return None
    try:
        return UUID(text.strip())
    except ValueError:
        raise InvalidParameter("Job id is not an id of a job: copy it from the open job, or leave it out.") from None
