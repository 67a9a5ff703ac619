"""Callbacks that begin, and end what they began."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.state import SafeSessionState


def let_callbacks_begin() -> None:
    """Let a press act also where the browser asks for another run before its own has begun, by two presses or a resize.

    Streamlit looks for that other run before it calls callbacks, and then never calls them: the press is lost. It looks
    again when they have ended, which is soon enough.
    """
    setattr(SafeSessionState, "on_script_will_rerun", _begin)  # noqa: B010 - mypy lets nobody assign a method


def _begin(state: SafeSessionState, *arguments: Any, **named: Any) -> None:
    with state._lock:
        state._state.on_script_will_rerun(*arguments, **named)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a run that was asked for meanwhile wait for the end of this.

    Streamlit ends a callback at any look into the session's state when the browser has asked for another run: a verdict
    would be recorded, and not said. It knows no way to say that a callback is one step, so this uses what tells its
    runner that no script is at work.
    """
    runner = _find_runner()
    if runner is None:
        yield
        return
    was_at_work, runner._execing = runner._execing, False
    try:
        yield
    finally:
        runner._execing = was_at_work


def _find_runner() -> ScriptRunner | None:
    context = get_script_run_ctx(suppress_warning=True)
    runner = None if context is None else getattr(context.session_state._yield_callback, "__self__", None)
    return runner if isinstance(runner, ScriptRunner) else None
