"""A callback ends what it began, whatever the browser asks for meanwhile."""

from streamlit.testing.v1 import AppTest


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
