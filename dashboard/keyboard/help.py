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
    "A job, on Jobs, Reviews and Quality": {
        "V": "Reveal its prompt and reason, or hide them again",
        "A, O, N, E": "Agree with its decision, overturn it, not sure, escalate it",
        "1, 2, 3": "The first, second, third category: you would set it, or not",
        "0": "You would set none of them",
        "M": "Write the note; Esc leaves it, and it is kept",
        "U": "Take your last verdict back",
    },
    "Jobs": {
        "J": "Open the next job, on the next page too",
        "K": "Open the job before",
        "Esc": "Close the job",
        "Arrows, then Shift+Space": "In the table: go to a row, open it",
    },
    "Reviews": {
        "J": "Start, or go on to the next job without a verdict; after a verdict it comes by itself",
        "K": "Back to the job before",
        "Y": "Where you are asked: give the verdict without having seen the text",
        "Esc": "Stop",
    },
    "Quality, where a sample is judged": {
        "J": "Start, or skip the job; after a verdict the next one comes by itself",
        "X, P": "Where its decision is hidden: the job should be rejected, it should pass",
        "Esc": "Stop",
    },
}

# What each key uses: of the buttons and fields whose keys in the sources begin so the one at this place, and where
# there is none the next.
CONTROLS: Mapping[str, Sequence[tuple[str, int]]] = {
    "j": (("step_older", 0), ("start_", 0), ("skip_", 0)),
    "k": (("step_newer", 0), ("back_", 0)),
    "v": (("reveal_", 0), ("hide_", 0), ("show_unseen_", 0)),
    "a": (("verdict_agree_", 0),),
    "o": (("verdict_overturn_", 0),),
    "n": (("verdict_unsure_", 0),),
    "e": (("verdict_escalate_", 0),),
    "x": (("verdict_reject_", 0),),
    "p": (("verdict_pass_", 0),),
    "y": (("give_unseen_", 0),),
    "1": (("review_categories_", 0),),
    "2": (("review_categories_", 1),),
    "3": (("review_categories_", 2),),
    "0": (("review_categories_", 3),),
    "m": (("review_note", 0),),
    "u": (("take_back_", 0),),
    "escape": (("close_job", 0), ("stop_", 0)),
}

_KEYBOARD = st.components.v2.component(
    "fencepost_keyboard", html="<span></span>\n", js=Path(__file__).with_name("help.js").read_text()
)


@fragment(scopes=ANY)
def show_keyboard(_: Actor) -> None:
    """Show the button for the list of keys, and hear `?`: and let each key press its button, whatever has the focus."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        asked = _KEYBOARD(key="keyboard", data=CONTROLS, on_asked_change=lambda: None, width="content").asked
        if st.button("Keyboard ?", icon=":material/keyboard:", type="tertiary", key="show_keys") or asked:
            _show_keys()


@dialog("Keyboard", scopes=ANY, width="medium")
def _show_keys(_: Actor) -> None:
    for place, keys in KEYS.items():
        st.subheader(place)
        st.table([{"Key": key, "What it does": meaning} for key, meaning in keys.items()], hide_index=True)
