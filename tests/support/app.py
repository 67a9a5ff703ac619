"""A page of the dashboard without a browser, opened by its address as the first thing that somebody does."""

from typing import Any

from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT

MAIN = ROOT / "dashboard" / "main.py"

# The pages of the demo person, who has all of them: an app learns of them by running once, and the next knows them.
_REGISTERED: dict[str, Any] = {}


def open_app(page: str, zone: str, params: dict[str, str]) -> AppTest:
    """Open a page at an address, through the script that runs for all of them; nothing may go wrong."""
    if not _REGISTERED:
        _REGISTERED.update(_new("jobs", zone).run()._registered_pages)
    app = _new(page, zone)
    app._registered_pages = dict(_REGISTERED)
    app.switch_page(f"{page}/page.py")
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def _new(page: str, zone: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.context = {"url": f"http://localhost:3051/{page}", "timezone": zone}
    return app


# A client, and what a dialog says of it where those with jobs are `acme` alone.
CLIENTS = [
    ("acme", []),
    ("acne", ["The client \u2068acne\u2069 has no jobs so far: see that its id is right."]),
]


def choose_client(page: AppTest, opener: str, field: str, client: str) -> tuple[list[str], list[str]]:
    """Open a dialog with a client in its field; return which it offers, and what it says of one without jobs."""
    # AppTest chooses only what is offered.
    page.session_state[field] = client
    page.run()
    page.button(key=opener).click().run()
    return page.selectbox(key=field).options, [each.value for each in page.caption if "no jobs" in each.value]
