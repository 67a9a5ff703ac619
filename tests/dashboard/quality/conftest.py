"""What tests of the page of quality share."""

from collections.abc import Callable

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.support.app import open_app
from tests.support.said import list_said

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page at an address, through the script that runs for all of them, as the demo person."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))

    return lambda page, **params: open_app(page, "UTC", params)


def texts(app: AppTest) -> str:
    return "\n".join(text for _, text in list_said(app))
