"""What a person has chosen to have hidden at first, on every page that shows jobs."""

import streamlit as st

from core.actor import Actor
from core.auth.preferences import keep_preference, read_preference
from core.jobs.hidden_text import Texts, parse_texts
from dashboard.session.resources import get_resources

# The name of the preference, and its place in the session: it is read once in each.
HIDING = "hiding"


def get_default_texts(person: Actor) -> Texts:
    """Return which texts are shown until somebody asks for others."""
    if HIDING not in st.session_state:
        st.session_state[HIDING] = parse_texts(read_preference(get_resources().databases.ours, person, HIDING))
    chosen: Texts = st.session_state[HIDING]
    return chosen


def keep_default_texts(person: Actor, chosen: Texts) -> None:
    """Choose another default, also for sessions to come."""
    st.session_state[HIDING] = chosen
    keep_preference(get_resources().databases.ours, person, HIDING, chosen.value)
