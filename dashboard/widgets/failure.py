"""What a page says when something goes wrong: a plain sentence, never a trace."""

import logging
import traceback

import streamlit as st
from streamlit import config
from streamlit.errors import FragmentHandledException

from core.errors import DatabaseUnavailable, InvalidParameter, QueryTooSlow

log = logging.getLogger("fencepost.dashboard")


def keep_traces_out() -> None:
    """Keep Streamlit from logging what `show_failure` says: a callback or a fragment that fails leaves no trace.

    Where Rich is installed Streamlit would print the trace by it, past all logging.
    """
    config.set_option("logger.enableRich", False)
    logging.getLogger("streamlit.error_util").addFilter(lambda record: record.exc_info is None)


def show_failure(error: Exception) -> bool:
    """Say an error to the person in front of the page; log no more than its class."""
    match error:
        case FragmentHandledException():
            # Was said where it happened; Streamlit passes it on.
            pass
        case QueryTooSlow():
            st.error(str(error), icon=":material/timer_off:")
        case InvalidParameter():
            show_refusal(error)
        case DatabaseUnavailable():
            st.error(
                "The database does not answer at the moment. Nothing is lost: try again in a few seconds.",
                icon=":material/cloud_off:",
            )
            st.button("Try again", icon=":material/refresh:", key="try_again")
        case _:
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("a page failed: %s at %s:%s", type(error).__qualname__, place.name, place.lineno)
            st.error(
                "Something went wrong here. Reload the page, and report it if it comes back.", icon=":material/error:"
            )
    return True


def show_refusal(error: Exception) -> None:
    """Say why something that was asked for is not done; what was asked stays on screen, to be corrected."""
    st.error("That can't be done.", icon=":material/error:")
    st.text(str(error))
