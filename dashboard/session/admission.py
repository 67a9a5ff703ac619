"""Callbacks, fragments and dialogs, each of which looks the person up anew.

They run before the script that looks up who is there, or without it, so an open page of somebody who was signed out
elsewhere would go on acting. None is given to Streamlit but through here: `tests/rules/test_admission.py` reads that.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import streamlit as st

from core.actor import Actor, Scope
from core.jobs.wall import Wall
from dashboard.session.kept_fields import keeping_fields
from dashboard.session.once import forget_made
from dashboard.session.person import find_person
from dashboard.session.resources import get_resources
from dashboard.session.step_up import ask_again
from dashboard.session.uninterrupted import uninterrupted

# Of the scopes one is needed. Whoever is in at all has one of ANY.
READERS = frozenset({Scope.JOB_READ})
REVIEWERS = frozenset({Scope.JOB_REVIEW})
EXPORTERS = frozenset({Scope.JOB_EXPORT})
ADMINS = frozenset({Scope.ADMIN_CONFIG})
ANY = frozenset(Scope)

# Seconds after which a page that nobody touches notices that its session has ended, or that scopes have changed.
NOTICED_AFTER = 4

_DIALOG = "dialog_opened"

P = ParamSpec("P")
R = TypeVar("R")


def find_current() -> Actor | None:
    """Return the person of this session with the scopes held now, or None."""
    return find_person(get_resources().settings)


def find_waiting() -> Actor | None:
    """Return the same where nobody did anything: a page looks by itself."""
    return find_person(get_resources().settings, acts=False)


def as_person(act: Callable[Concatenate[Actor, P], None], scopes: frozenset[Scope] = READERS) -> Callable[P, None]:
    """Make a callback that gives `act` the person of this moment, and does nothing where there is none with a scope."""

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with uninterrupted():
            person = find_current()
            if person is not None and person.scopes & scopes:
                act(person, *args, **kwargs)

    return run


def admitted(act: Callable[P, object], scopes: frozenset[Scope] = READERS) -> Callable[P, None]:
    """Make a callback that runs `act`, and does nothing where nobody with a scope is there any more."""

    @wraps(act)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with uninterrupted():
            person = find_current()
            if person is not None and person.scopes & scopes:
                act(*args, **kwargs)

    return run


def fragment(
    *,
    run_every: float | None = None,
    parallel: bool = False,
    scopes: frozenset[Scope] = READERS,
    find: Callable[[], Actor | None] | None = None,
) -> Callable[[Callable[Concatenate[Actor, P], R]], Callable[P, R | None]]:
    """Make a fragment that is given the person of this moment; where nobody is there the whole page runs again.

    That one runs every few seconds is no act of a person, and does not keep their session.
    """

    def make(show: Callable[Concatenate[Actor, P], R]) -> Callable[P, R | None]:
        run = _admit(show, scopes, find or (find_current if run_every is None else find_waiting))
        return st.fragment(run, run_every=run_every, parallel=parallel)

    return make


def dialog(
    title: str, *, scopes: frozenset[Scope], fresh_for: str | None = None, **options: str | bool | Callable[[], None]
) -> Callable[[Callable[Concatenate[Actor, P], None]], Callable[P, None]]:
    """Make a dialog as `fragment` makes a fragment; `options` are those of `st.dialog`.

    Where it is `fresh_for` something, whoever signed in long ago is asked to do it again for that, and shown no more.
    """

    def make(show: Callable[Concatenate[Actor, P], None]) -> Callable[P, None]:
        admit = _admit(show, scopes, find_current, fresh_for)

        @wraps(show)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            with keeping_fields():
                admit(*args, **kwargs)

        shown: Callable[P, None] = st.dialog(title, **options)(run)  # type: ignore[call-overload]

        @wraps(show)
        def open_dialog(*args: P.args, **kwargs: P.kwargs) -> None:
            forget_made()
            st.session_state[_DIALOG] = True
            shown(*args, **kwargs)

        return open_dialog

    return make


def forget_dialog() -> None:
    """Forget that a dialog was opened: the whole page runs, which closes it."""
    st.session_state.pop(_DIALOG, None)


def may_be_in_dialog() -> bool:
    """Tell whether a dialog was opened that no run has closed; one that its person has closed may count, too."""
    return _DIALOG in st.session_state


def _admit(
    show: Callable[Concatenate[Actor, P], R],
    scopes: frozenset[Scope],
    find: Callable[[], Actor | None],
    fresh_for: str | None = None,
) -> Callable[P, R | None]:
    @wraps(show)
    def run(*args: P.args, **kwargs: P.kwargs) -> R | None:
        person = find()
        if person is None:
            st.rerun()
        if not person.scopes & scopes:
            return None
        if fresh_for is not None and not person.is_fresh:
            ask_again(fresh_for)
            if st.button("Cancel", key="stale_cancel"):
                st.rerun()
            return None
        return show(person, *args, **kwargs)

    return run


@fragment(run_every=NOTICED_AFTER, scopes=ANY)
def watch_session(person: Actor, scopes: frozenset[Scope], wall: Wall) -> None:
    """Let a page that nobody touches end with its session, too; and let it change when scopes or the wall do."""
    if (person.scopes, person.wall) != (scopes, wall):
        st.rerun()
