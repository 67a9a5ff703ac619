"""A callback begins, and ends what it began, whatever the browser asks for meanwhile."""

from typing import Any

import pytest
from streamlit.runtime.scriptrunner import RerunData
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.state import SafeSessionState
from streamlit.testing.v1 import AppTest

from dashboard.session.uninterrupted import let_callbacks_begin


def act_while_asked_again(is_guarded: bool) -> None:
    """A button whose callback meets another run that was asked for, as by a window that changes its size."""
    from contextlib import nullcontext

    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx

    from dashboard.session.uninterrupted import uninterrupted

    def act() -> None:
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        with uninterrupted() if is_guarded else nullcontext():
            context.script_requests.request_rerun(RerunData())
            st.session_state["begun"] = True
            st.session_state["ended"] = True

    st.button("Act", on_click=act)
    st.text(f"drawn {st.session_state.get('ended', False)}")


def test_it_ends_what_it_began() -> None:
    """All that the callback writes is written, and the run that was asked for comes after it."""
    app = AppTest.from_function(act_while_asked_again, args=(True,)).run()

    app.button[0].click().run()

    assert not app.exception
    assert "begun" in app.session_state
    assert app.session_state["ended"] is True
    assert app.text[0].value == "drawn True"


def test_without_it_a_callback_is_cut() -> None:
    """What the guard is for: where Streamlit leaves callbacks whole by itself one day, it can go."""
    app = AppTest.from_function(act_while_asked_again, args=(False,)).run()

    app.button[0].click().run()

    assert "ended" not in app.session_state


def press() -> None:
    """A button whose press is counted."""
    import streamlit as st

    from dashboard.session.uninterrupted import uninterrupted

    def act() -> None:
        with uninterrupted():
            st.session_state["pressed"] = st.session_state.get("pressed", 0) + 1

    st.button("Act", on_click=act)


@pytest.mark.parametrize("is_mended", [True, False])
def test_a_press_acts_once_though_another_run_is_asked_for_before_its_own_begins(
    is_mended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the mending it does nothing: where Streamlit calls such callbacks by itself one day, that can go."""
    monkeypatch.setattr(SafeSessionState, "on_script_will_rerun", SafeSessionState.on_script_will_rerun)
    if is_mended:
        let_callbacks_begin()
    app = AppTest.from_function(press).run()
    run_script, asked_again = ScriptRunner._run_script, list[RerunData]()

    def run_when_asked_again(runner: ScriptRunner, rerun_data: RerunData) -> None:
        asked_again.append(rerun_data)
        runner._requests.request_rerun(RerunData())
        run_script(runner, rerun_data)

    monkeypatch.setattr(ScriptRunner, "_run_script", run_when_asked_again)
    app.button[0].click().run()

    assert asked_again
    assert not app.exception
    state: Any = app.session_state
    assert ("pressed" in state) is is_mended
    assert not is_mended or state["pressed"] == 1
