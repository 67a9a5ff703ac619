"""The keys that do something, shown to whoever presses ? or the button."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from core.actor import Actor
from dashboard.session.admission import ANY, dialog, fragment

# What each page's own keys do; those of the job panel are on every page that shows one.
KEYS: Mapping[str, Mapping[str, str]] = {
    "Everywhere": {
        "?": "These keys",
        "Letters": "By what is printed on your keys; on a keyboard without Latin letters, by their place",
        "Tab": "To the next control",
        "Enter": "Use it",
    },
    "Jobs": {
        "J": "Open the next job, on the next page too",
        "K": "Open the job before",
        "V": "Reveal the open job's prompt and reason, or hide them again",
        "Esc": "Close the open job; in the note: leave the note, which is kept",
        "A, O, N, E": "Agree with the open job's decision, overturn it, not sure, escalate it",
        "U": "Take your last verdict back",
        "Arrows, then Space": "In the table: go to a row, open it",
    },
    "Reviews": {
        "J": "Start, or skip to the next job",
        "V": "Reveal, or hide again",
        "A, O, N, E, U": "As on the page of jobs; the next job comes by itself",
        "Esc": "Stop",
    },
}

# What each key presses: the first button that there is of those whose keys in the sources begin so.
BUTTONS: Mapping[str, Sequence[str]] = {
    "j": ("step_older", "start_", "skip_"),
    "k": ("step_newer",),
    "v": ("reveal_", "hide_"),
    "a": ("verdict_agree_",),
    "o": ("verdict_overturn_",),
    "n": ("verdict_unsure_",),
    "e": ("verdict_escalate_",),
    "u": ("take_back_",),
    "escape": ("close_job", "stop_"),
}

_KEYBOARD = st.components.v2.component(
    "fencepost_keyboard", html="<span></span>\n", js=Path(__file__).with_name("help.js").read_text()
)


@fragment(scopes=ANY)
def show_keyboard(_: Actor) -> None:
    """Show the button for the list of keys, and hear `?`: and let each key press its button, whatever has the focus."""
    asked = _KEYBOARD(key="keyboard", data=BUTTONS, on_asked_change=lambda: None).asked
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keys ?", icon=":material/keyboard:", type="tertiary", key="show_keys") or asked:
            _show_keys()


@dialog("Keys", scopes=ANY, width="medium")
def _show_keys(_: Actor) -> None:
    for place, keys in KEYS.items():
        st.subheader(place)
        st.table([{"Key": key, "What it does": meaning} for key, meaning in keys.items()], hide_index=True)
