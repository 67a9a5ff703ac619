"""Callbacks that end what they began."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner


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
