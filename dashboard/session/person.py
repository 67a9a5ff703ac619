"""Who looks at a page."""

import streamlit as st

from core.actor import DEMO_PERSON, Actor, Scope
from core.auth.sign_in import Door, Visit
from core.settings import Settings
from dashboard.session.resources import get_resources
from dashboard.widgets.primary_button import emphasis


def find_person(settings: Settings, *, acts: bool = True) -> Actor | None:
    """Return the person of this session with the scopes held now, or None.

    Demo mode knows one local user, who may do everything. `acts` is what `Door.enter` has of it.
    """
    if settings.fencepost_demo:
        return DEMO_PERSON
    visit = find_visit(acts=acts)
    return None if visit is None else visit.actor


def find_admin() -> Actor | None:
    """Return the person of this session if they are an admin now, else None."""
    person = find_person(get_resources().settings)
    return person if person is not None and Scope.ADMIN_CONFIG in person.scopes else None


def find_visit(*, acts: bool = True) -> Visit | None:
    """Return what becomes of this session, looked up anew, or None where nobody has signed in."""
    door = get_resources().door
    session = st.user.get("session")
    if door is None or not st.user.is_logged_in or not isinstance(session, str):
        return None
    return door.enter(session, st.context.ip_address, acts=acts)


def recognise(settings: Settings, door: Door | None, name: str, session: str | None) -> Actor | None:
    """Return the person whom a ticket names with the scopes held now, or None where the session has ended."""
    if settings.fencepost_demo:
        return DEMO_PERSON if name == DEMO_PERSON.name else None
    return None if door is None or session is None else door.recognise(session, acts=True)


def sign_out() -> None:
    """End all sessions of whoever is there, here and at the provider."""
    resources = get_resources()
    person = find_person(resources.settings)
    if resources.door is not None and person is not None:
        resources.door.sign_out(person)
    st.logout()


def show_sign_in(visit: Visit | None) -> None:
    """Show who is not in how to come in, or why not."""
    resources = get_resources()
    st.title("Fencepost")
    if resources.door is None:
        st.write(
            "There are no pages without sign-in: configure it in `.streamlit/secrets.toml`, for which "
            "`.streamlit/secrets.toml.example` is a pattern, or start Fencepost in demo mode with `make run` to look "
            "at demo jobs. The API and the command line work as they are."
        )
        return
    if visit is not None and not visit.ended:
        st.error("You're signed in, but this account has no access.", icon=":material/block:")
        st.text(f"{visit.address or 'No address'}\n{visit.refusal}")
        st.button("Sign out", icon=":material/logout:", on_click=sign_out, key="sign_out")
        return
    if visit is not None:
        st.info(visit.refusal, icon=":material/lock_clock:")
    else:
        st.write("Sign in to see what your moderation rejected.")
    show_sign_in_buttons("Sign in")


def show_sign_in_buttons(words: str) -> None:
    """Show a button for each provider, by which one comes back to the page that one is on."""
    resources = get_resources()
    with st.container(horizontal=True):
        for name in resources.providers:
            label = words if len(resources.providers) == 1 else f"{words} with {name.capitalize()}"
            named = None if len(resources.providers) == 1 and name == "default" else name
            st.button(
                label, icon=":material/login:", type=emphasis(), on_click=st.login, args=(named,), key=f"sign_in_{name}"
            )
