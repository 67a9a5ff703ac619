"""What somebody is shown of prompts at first, and how much they have looked at today."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import streamlit as st

from core.actor import Actor
from core.audit.viewing import count_looks
from core.jobs.hidden_text import Texts
from dashboard.address.view import View
from dashboard.session.admission import as_person, fragment
from dashboard.session.default_texts import get_default_texts, keep_default_texts
from dashboard.session.resources import get_resources

# Set until the page was drawn anew with another choice.
CHANGED = "hiding_changed"

# Whether the menu was opened. What is in it stays there when it is closed: a browser that has not heard of that yet
# would choose what is gone, and show afterwards what was chosen before.
OPENED = "hiding_opened"

DEFAULT_WORDS = {
    Texts.NONE: "Hide all",
    Texts.UNFLAGGED: "Hide flagged",
    Texts.NOT_UNDERAGE: "Hide underage only",
}
DEFAULT_MEANINGS = (
    "No prompt is shown.",
    "Jobs that are flagged, rejected or not evaluated are hidden.",
    "Only jobs flagged underage, or with a reason marked underage, are hidden.",
)


def show_switch(view: View) -> None:
    """Show the switch that shows all texts of one page of the list.

    On the next page of the list the person's own default counts again.
    """
    place = (view.job_filter, view.after, view.size)
    if st.session_state.get("shown_place") != place:
        st.session_state["show_prompts"] = False
        # Last: a run may be ended between the two, and then nothing is to be shown.
        st.session_state["shown_place"] = place
    st.toggle("Show prompts", key="show_prompts", help="All prompts and reasons of this page of the list.")


def chosen_texts(person: Actor) -> Texts:
    """Return which texts this page shows."""
    if st.session_state["show_prompts"]:
        return Texts.ALL
    return get_default_texts(person)


@fragment()
def show_default(person: Actor, zone: ZoneInfo) -> None:
    """Let a person choose what is hidden at first, and say how much they have looked at today.

    Nothing of it is drawn before it was opened, nor counted while it is closed.
    """
    ours = get_resources().databases.ours
    place = st.popover("Hidden text", icon=":material/visibility_off:", key="hidden_text", on_change="rerun")
    if st.session_state.pop(CHANGED, False):
        # The list is no part of this fragment.
        st.rerun()
    if not place.open and not st.session_state.get(OPENED, False):
        return
    st.session_state[OPENED] = True
    with place:
        # Other pages know the choice, too: so it is not the widget's own value, which would end with this page.
        st.radio(
            "Prompts and reasons, until you reveal them",
            list(DEFAULT_WORDS),
            index=list(DEFAULT_WORDS).index(get_default_texts(person)),
            key="hiding_choice",
            format_func=DEFAULT_WORDS.__getitem__,
            captions=DEFAULT_MEANINGS,
            on_change=as_person(_keep_choice),
        )
        st.caption("Hidden text stays on the server. V reveals it for the open job; each reveal is in the audit.")
        st.caption("A reason that appears with five or more different prompts is a rule's name, and always shown.")
        if place.open:
            midnight = datetime.combine(datetime.now(zone).date(), time(), zone).astimezone(UTC)
            looks = count_looks(ours, person, midnight)
            opened, revealed = f"{looks.opened:,}", f"{looks.revealed:,}"
            st.caption(f"Today you have opened {opened} and revealed {revealed}. Only you can see this.")


def _keep_choice(person: Actor) -> None:
    keep_default_texts(person, st.session_state["hiding_choice"])
    st.session_state[CHANGED] = True
