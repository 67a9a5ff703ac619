"""What a dialog has made it goes on with, whatever else was pressed while it was at work."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.support.rows import insert_job

# Each run is one of an open dialog: it is not opened anew.
SCRIPT = """
import streamlit as st
from core.actor import DEMO_PERSON
from core.review.queues import Queue
from dashboard.keys.dialogs import create_dialog
from dashboard.queues.dialogs import save_dialog
from dashboard.samples.draw_dialog import draw_dialog
from tests.support.documents import april
def dialog():
    {call}
pages = [st.Page(f"{{name}}/page.py", url_path=name) for name in ("quality", "reviews")]
st.navigation([st.Page(dialog, default=True), *pages]).run()
"""

Open = Callable[[str], AppTest]


@pytest.fixture
def open_dialog(databases: Databases, settings: Settings, tmp_path: Path) -> Open:
    """Open a dialog, named by a call, as the demo person."""
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    for name in ("quality", "reviews"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.py").touch()

    def open_by(call: str) -> AppTest:
        (tmp_path / "main.py").write_text(SCRIPT.format(call=call))
        return AppTest.from_file(str(tmp_path / "main.py"), default_timeout=60).run()

    return open_by


def press(app: AppTest, button: Button, then: Callable[[], object]) -> None:
    """Press a button and, before its answer is drawn, do something else in what was drawn before."""
    shown = app._tree
    button.click().run()
    app._tree = shown
    button.set_value(False)
    then()
    app.run()
    assert not app.exception


def test_a_key_that_is_made_is_shown(open_dialog: Open, connection: psycopg.Connection) -> None:
    """Neither "Cancel" nor another answer, while the key is made, loses what is never shown again."""
    shown = []
    for name in ("cancelled", "changed"):
        app = open_dialog("create_dialog.__wrapped__(DEMO_PERSON)")
        app.text_input(key="key_name").set_value(name).run()
        app.radio(key="key_reach").set_value("All clients").run()
        cancel, reach = app.button(key="secret_cancel"), app.radio(key="key_reach")
        create = app.button(key="key_create")
        press(app, create, cancel.click if name == "cancelled" else partial(reach.set_value, "One client"))
        shown += [code.value.split("_")[1] for code in app.code if code.value.startswith("fp_")]

    made = connection.execute("SELECT key_id FROM api_keys ORDER BY created_at").fetchall()
    assert len(made) == 2
    assert [(key_id,) for key_id in shown] == made


@pytest.mark.parametrize(
    ("call", "name", "button", "field", "answer"),
    [
        (
            "draw_dialog.__wrapped__(DEMO_PERSON, april())",
            *("sample_name", "sample_draw", "sample_rest", "In proportion to how many jobs there are"),
        ),
        (
            "save_dialog.__wrapped__(DEMO_PERSON, april(), Queue.NEW)",
            *("new_queue_name", "queue_save", "new_queue_order", "Newest first"),
        ),
    ],
    ids=["draw", "save"],
)
def test_the_way_on_is_there(
    open_dialog: Open, connection: psycopg.Connection, call: str, name: str, button: str, field: str, answer: str
) -> None:
    """Another answer, while a sample is drawn or a queue is saved, keeps nobody from what there is now."""
    insert_job(connection, is_prohibited=True)
    app = open_dialog(call)
    app.text_input(key=name).set_value("April").run()

    press(app, app.button(key=button), partial(app.radio(key=field).set_value, answer))

    assert connection.execute("SELECT (SELECT count(*) FROM samples) + (SELECT count(*) FROM queues)").fetchone() == (
        1,
    )
    assert len(app.get("page_link")) == 1
