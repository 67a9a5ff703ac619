"""What tests of the page of quality share."""

from collections.abc import Callable

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.said import list_said

MAIN = ROOT / "dashboard" / "main.py"
OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page at an address, through the script that runs for all of them, as the demo person."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))

    def open_at(page: str, **params: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        app.context = {"url": f"http://localhost:3051/{page}", "timezone": "UTC"}
        app.run()
        app.switch_page(f"{page}/page.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return open_at


def texts(app: AppTest) -> str:
    return "\n".join(text for _, text in list_said(app))
