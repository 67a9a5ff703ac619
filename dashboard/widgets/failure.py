"""What a page says when something goes wrong: a plain sentence, never a trace."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit import config
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import FragmentHandledException

from core.actor import Forbidden
from core.errors import DatabaseRefuses, DatabaseUnavailable, InvalidParameter, NotPossible, QueryTooSlow

# What is written on the pages at the fields that reasons name as commands and API do.
LABELS = {
    "at_least": "“At least so many of each kind”",
    "client": "Client id",
    "clients": "Clients",
    "expires": "“It expires”",
    "group": "“Name of the group”",
    "name": "Name",
    "network": "“It works from”",
    "opinions": "“People who judge each job”",
    "reason": "“Why they are held”",
    "scope": "The scope",
    "size": "“Jobs to judge”",
    "who": "“Address or @domain”",
}

REFUSED = "That can't be done."

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
            _show_refusal(error)
        case DatabaseRefuses():
            # Names a server, which is for whoever runs it.
            log.warning("the database refused what a page asked: %s", error)
            st.error(
                "The database refuses what is asked here, and nothing was changed. Whoever runs Fencepost finds the "
                "reason in the server's log.",
                icon=":material/cloud_off:",
            )
            st.button("Try again", icon=":material/refresh:", key="try_again")
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


@contextmanager
def refusals_in(place: DeltaGenerator, said: str = REFUSED) -> Iterator[None]:
    """Say in a place why something that a dialog was asked for is not done; what was asked stays on screen.

    The place stands above the button that was pressed: what stands below it is outside a low window.
    """
    try:
        yield
    except (InvalidParameter, NotPossible, Forbidden, QueryTooSlow) as error:
        with place:
            _show_refusal(error, said)
    except DatabaseUnavailable as error:
        with place:
            _show_outage(error, said)


def _show_refusal(error: Exception, said: str = REFUSED) -> None:
    st.error(said, icon=":material/error:")
    st.text(name_field(str(error)))


def _show_outage(error: DatabaseUnavailable, said: str) -> None:
    """Say whether something was done that the database had not answered, which it may have been at the very end."""
    if isinstance(error, DatabaseRefuses):
        log.warning("the database refused what a dialog asked: %s", error)
        why = "The database refuses it. Whoever runs Fencepost finds the reason in the server's log."
    elif error.may_be_done:
        said = "Nobody knows whether this was done."
        why = "The database was gone before it had answered. Close this, and look before you do it again."
    else:
        why = "The database does not answer at the moment: try again in a few seconds."
    st.error("This was not done." if said == REFUSED else said, icon=":material/cloud_off:")
    st.text(why)


def name_field(reason: str) -> str:
    """Begin a reason with the label on the screen, where it begins with a parameter's name."""
    name, space, rest = reason.partition(" ")
    return f"{LABELS.get(name, name)}{space}{rest}"
