"""What somebody is shown of prompts at first, and how much they have looked at today."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import streamlit as st

from core.actor import Actor
from core.audit.viewing import count_looks
from core.auth.preferences import keep_preference, read_preference
from core.jobs.hidden_text import HIDING, Texts, parse_texts
from dashboard.address.view import View
from dashboard.session.admission import as_person
from dashboard.session.resources import get_resources

DEFAULT_WORDS = {
    Texts.NONE: "Hide all",
    Texts.UNFLAGGED: "Hide flagged",
    Texts.NOT_UNDERAGE: "Show",
}
DEFAULT_MEANINGS = (
    "Nothing is shown until you reveal it.",
    "Hidden are jobs that are flagged, rejected or without a log.",
    "All but what is flagged underage.",
)


def choose_texts(view: View, person: Actor, zone: ZoneInfo) -> Texts:
    """Show the controls of what is hidden; return which texts this page shows.

    The switch is for one page of the list: on the next one the person's own default counts again.
    """
    ours = get_resources().databases.ours
    place = (view.job_filter, view.after, view.size)
    if st.session_state.get("shown_place") != place:
        st.session_state["shown_place"] = place
        st.session_state["show_prompts"] = False
    if HIDING not in st.session_state:
        st.session_state[HIDING] = parse_texts(read_preference(ours, person, HIDING))
    with st.popover("Hiding", icon=":material/visibility_off:"):
        # Other pages know the choice, too: so it is not the widget's own value, which would end with this page.
        st.radio(
            "Prompts and reasons at first",
            list(DEFAULT_WORDS),
            index=list(DEFAULT_WORDS).index(st.session_state[HIDING]),
            key=f"{HIDING}_choice",
            format_func=DEFAULT_WORDS.__getitem__,
            captions=DEFAULT_MEANINGS,
            on_change=as_person(_keep_choice),
        )
        st.caption("Hidden text stays on the server. V reveals that of an open job; each reveal is in the audit.")
        midnight = datetime.combine(datetime.now(zone).date(), time(), zone).astimezone(UTC)
        looks = count_looks(ours, person, midnight)
        st.caption(f"Today you have opened {looks.opened:,} and revealed {looks.revealed:,}. Only you are shown this.")
    shown = st.toggle("Show prompts", key="show_prompts", help="For this page of the list, whatever is flagged.")
    chosen: Texts = st.session_state[HIDING]
    return Texts.ALL if shown else chosen


def _keep_choice(person: Actor) -> None:
    chosen: Texts = st.session_state[f"{HIDING}_choice"]
    st.session_state[HIDING] = chosen
    keep_preference(get_resources().databases.ours, person, HIDING, chosen.value)
