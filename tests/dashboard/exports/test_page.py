"""The page of exports, run as Streamlit runs it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from core.actor import Actor
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.errors import InvalidParameter
from core.export.receipts import LOST_AFTER, Progress, Snapshot, Status, Via, close_receipt, open_receipt, renew_receipt
from core.export.verification import Inspection
from core.jobs.wall import Wall
from core.settings import Settings
from dashboard.exports.file_check import parse_facts
from dashboard.exports.page import NOT_YOURS, PAGE_SIZE, parse_place
from dashboard.exports.receipt_card import SEVERAL_SERVERS
from dashboard.session.resources import Resources, provide
from dashboard.widgets.words import name_bytes, name_duration
from tests.support.documents import APRIL, april

SHA256 = "ab" * 32

# Texts as an attacker or an odd client may have put them into a filter.
HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://x.example) $\\\\alpha$ :material/home: \u202eevil"

MAIN = """
import streamlit as st
st.navigation([st.Page("jobs/page.py", default=True), st.Page("exports/page.py", url_path="exports")]).run()
"""
VIEW = """
from core.actor import STAFF_SCOPES, Actor, Scope
from core.jobs.wall import Wall
from dashboard.exports.page import show
show(lambda acts: {person})
"""
STAFF = "Actor('user:a', Wall(None), STAFF_SCOPES, 'a@example.com')"
ADMIN = "Actor('user:admin', Wall(None), frozenset({Scope.ADMIN_CONFIG}), 'admin@example.com')"
OUTSIDER = "Actor('user:a', Wall(None), frozenset(), 'a@example.com')"
NOBODY = "None"


class Dashboard:
    """The page of exports as a person sees it: the composition root with one difference, who that person is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, person: str, **params: str) -> AppTest:
        for page in ("jobs", "exports"):
            (self._directory / page).mkdir(exist_ok=True)
        (self._directory / "main.py").write_text(MAIN)
        (self._directory / "jobs" / "page.py").write_text("")
        (self._directory / "exports" / "page.py").write_text(VIEW.format(person=person))
        app = AppTest.from_file(str(self._directory / "main.py"), default_timeout=30).run()
        app.switch_page("exports/page.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app


@pytest.fixture
def dashboard(databases: Databases, settings: Settings, tmp_path: Path) -> Dashboard:
    provide(Resources(databases, settings, TicketOffice("x" * 43)))
    return Dashboard(tmp_path)


def add_export(
    databases: Databases, number: int, status: Status, *, by: str = "user:a", via: Via = Via.DASHBOARD, **params: str
) -> UUID:
    """Add an export of 1,234 rows."""
    export_id = UUID(int=number)
    actor = Actor(by, Wall(None), frozenset())
    open_receipt(databases, actor, export_id, april(**params), via=via)
    progress = Progress(1234, 5_678_901)
    if status is Status.RUNNING:
        renew_receipt(databases.ours, export_id, progress)
    else:
        sha256 = SHA256 if status is Status.COMPLETE else None
        close_receipt(databases, actor, export_id, progress, status, sha256=sha256)
    return export_id


def texts(app: AppTest) -> str:
    """Return what is shown as plain text."""
    return "\n".join(element.value for element in app.text)


def markdown(app: AppTest) -> str:
    """Return everything that is rendered as Markdown."""
    return "\n".join(str(element.value) for element in (*app.markdown, *app.caption, *app.title, *app.header))


def links(app: AppTest) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the links by their labels: the page, and what stands behind the question mark."""
    found = [element.proto for element in app.get("page_link")]
    return {proto.label: (proto.page, dict(parse_qsl(proto.query_string))) for proto in found if not proto.disabled}


def receipts(app: AppTest) -> list[str]:
    """Return the buttons that open a receipt, by their labels."""
    return [button.label for button in app.button if button.label.startswith("Receipt")]


def test_without_exports_the_page_says_so(dashboard: Dashboard) -> None:
    """Where there is nothing yet, a sentence says how that changes."""
    app = dashboard.open(STAFF)

    assert [info.value for info in app.info] == [
        "There are no exports here yet. Download a CSV on the Jobs page, and its receipt appears."
    ]
    assert [heading.value for heading in app.header] == ["Verify a file", "Your exports"]


def test_an_export_is_told_at_a_glance(dashboard: Dashboard, databases: Databases) -> None:
    """Each state has its word and its sign; rows, size, filter, requester and door are said."""
    for number, status in enumerate(Status):
        add_export(databases, number, status, decision="reject")

    app = dashboard.open(STAFF)

    for badge in (
        ":blue-badge[:material/progress_activity: Running]",
        ":green-badge[:material/check_circle: Complete]",
        ":orange-badge[:material/front_hand: Interrupted]",
        ":red-badge[:material/error: Failed]",
    ):
        assert badge in markdown(app)
    assert texts(app).count("1,234 rows · 5.7 MB") == 4
    assert texts(app).count("Rejected jobs from 1 Apr 2026 00:00 up to, not including, 1 May 2026 00:00 (UTC).") == 4
    assert texts(app).count("by you from the dashboard") == 4
    assert texts(app).count("running for") == 1


def test_one_sees_ones_own_and_an_admin_all(dashboard: Dashboard, databases: Databases) -> None:
    """Staff see what they asked for themselves; an admin sees everybody's, with who it was."""
    add_export(databases, 0x11111111 << 96, Status.COMPLETE)
    add_export(databases, 0x22222222 << 96, Status.COMPLETE, by="user:b")
    add_export(databases, 0x33333333 << 96, Status.COMPLETE, by="cli", via=Via.CLI)

    own, everybody = dashboard.open(STAFF), dashboard.open(ADMIN)

    assert receipts(own) == ["Receipt 11111111"]
    assert set(receipts(everybody)) == {*("Receipt 11111111", "Receipt 22222222", "Receipt 33333333")}
    assert "by “user:b” from the dashboard" in texts(everybody)
    assert " · by the command line" in texts(everybody)
    assert "shell" not in texts(everybody)


@pytest.mark.parametrize("person", [NOBODY, OUTSIDER])
def test_nobody_who_may_not_sees_or_asks_anything(dashboard: Dashboard, databases: Databases, person: str) -> None:
    """Without somebody who may see exports nothing is shown, and no query is sent."""
    export_id = add_export(databases, 1, Status.COMPLETE)
    statements: list[str] = []
    event.listen(databases.ours.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    apps = [dashboard.open(person), dashboard.open(person, export=str(export_id))]

    assert statements == []
    assert [(len(app.main), len(app.title)) for app in apps] == [(0, 0), (0, 0)]


def test_a_receipt_has_its_own_address(dashboard: Dashboard, databases: Databases) -> None:
    """A link to a receipt shows all that it says, and leads to the same jobs."""
    export_id = add_export(databases, 1, Status.COMPLETE, decision="reject", q="boat", client_id="acme")

    app = dashboard.open(STAFF, export=str(export_id))

    assert [code.value for code in app.code] == [str(export_id), SHA256]
    assert "5.7 MB (5,678,901 bytes)" in texts(app)
    assert links(app)["Show these jobs"] == ("", APRIL | {"decision": "reject", "q": "boat", "client_id": "acme"})
    app.button(key="all_exports").click().run()
    assert not app.query_params
    app.button(key=f"open_{export_id}").click().run()
    assert app.query_params["export"] in (str(export_id), [str(export_id)])


def test_a_receipt_says_where_it_is_not_one_snapshot(dashboard: Dashboard, databases: Databases) -> None:
    """Where several servers were read one by one, a sentence says so; elsewhere there is none."""
    actor = Actor("user:a", Wall(None), frozenset())
    captions = []
    for number, snapshot in enumerate((None, Snapshot.PER_NODE), start=1):
        open_receipt(databases, actor, UUID(int=number), april(), via=Via.DASHBOARD)
        renew_receipt(databases.ours, UUID(int=number), Progress(), snapshot_at=datetime.now(UTC), snapshot=snapshot)
        app = dashboard.open(STAFF, export=str(UUID(int=number)))
        captions.append([caption.value for caption in app.caption if "several servers" in caption.value])

    assert captions == [[], [SEVERAL_SERVERS]]


def test_the_jobs_of_a_key_are_those_of_its_client(
    dashboard: Dashboard, databases: Databases, connection: psycopg.Connection
) -> None:
    """The export of a client's key was of that client's jobs only, and so are its sentence and its link."""
    export_id = add_export(databases, 1, Status.COMPLETE, by="key:abcdefghijkl", via=Via.API)
    connection.execute("UPDATE exports SET client_id = 'acme'")

    app = dashboard.open(ADMIN, export=str(export_id))

    assert "Jobs of client “acme” from 1 Apr 2026" in texts(app)
    assert links(app)["Show these jobs"] == ("", APRIL | {"client_id": "acme"})


def test_a_foreign_receipt_is_as_unknown_as_one_that_never_was(dashboard: Dashboard, databases: Databases) -> None:
    """Who may not see a receipt does not learn whether it exists."""
    foreign = add_export(databases, 1, Status.COMPLETE, by="user:b")

    shown = [dashboard.open(STAFF, export=str(export_id)) for export_id in (foreign, UUID(int=2))]

    assert [[info.value for info in app.info] for app in shown] == [[NOT_YOURS], [NOT_YOURS]]
    assert [texts(app) for app in shown] == ["", ""]


def test_a_lost_export_is_shown_as_failed(
    dashboard: Dashboard, databases: Databases, connection: psycopg.Connection
) -> None:
    """An export that gives no sign of life for a minute is closed by whoever looks, and ran as long as it gave one."""
    export_id = add_export(databases, 1, Status.RUNNING)
    connection.execute(
        "UPDATE exports SET started_at = now() - interval '2 hours', heartbeat_at = now() - interval '1 hour'"
    )

    app = dashboard.open(STAFF, export=str(export_id))

    assert timedelta(hours=1) > LOST_AFTER
    assert ":red-badge[:material/error: Failed]" in markdown(app)
    assert "1 h 0 min" in texts(app)


@pytest.mark.parametrize("opened", [False, True])
def test_what_comes_from_outside_is_text(
    dashboard: Dashboard, databases: Databases, connection: psycopg.Connection, opened: bool
) -> None:
    """HTML, Markdown, LaTeX and direction marks in a filter or a name are shown as they are, never rendered."""
    export_id = add_export(databases, 1, Status.COMPLETE, by=HOSTILE, q=HOSTILE * 4, type=HOSTILE, client_id=HOSTILE)
    connection.execute("INSERT INTO people (person, address) VALUES (%s, %s)", [HOSTILE, HOSTILE])

    app = dashboard.open(ADMIN, **({"export": str(export_id)} if opened else {}))

    assert "<img src=x onerror=alert(1)> **bold** [link]" in texts(app)
    assert "\u202e" not in texts(app)
    for part in ("<img", "**bold**", "[link]", "$", "material/home"):
        assert part not in markdown(app)


def test_a_filter_of_another_version_is_shown_as_it_is(
    dashboard: Dashboard, databases: Databases, connection: psycopg.Connection
) -> None:
    """A receipt whose filter has a parameter that is unknown now still shows, without a link to jobs."""
    export_id = add_export(databases, 1, Status.COMPLETE)
    connection.execute("UPDATE exports SET filter = %s", [Jsonb({"colour": "**green**"})])

    app = dashboard.open(STAFF, export=str(export_id))

    assert "colour = “**green**”" in texts(app)
    assert "Show these jobs" not in links(app)


def test_pages_have_addresses(dashboard: Dashboard, databases: Databases) -> None:
    """Older and Newer lead through the list by its keys, and back to its beginning."""
    for number in range(PAGE_SIZE + 1):
        add_export(databases, number, Status.INTERRUPTED)

    app = dashboard.open(STAFF)
    first = (len(receipts(app)), app.button(key="newer").disabled, app.button(key="older").disabled)
    app.button(key="older").click().run()
    second = (len(receipts(app)), app.button(key="newer").disabled, app.button(key="older").disabled)
    address = list(app.query_params)
    app.button(key="newer").click().run()

    assert (first, second) == ((PAGE_SIZE, True, False), (1, False, True))
    assert (address, list(app.query_params)) == (["after"], [])


@pytest.mark.parametrize(
    "params",
    [
        [("export", "x")],
        [("after", "2026-05-01T00:00:00Z")],
        [("after", "x_00000000-0000-0000-0000-000000000000")],
        [("export", str(UUID(int=1))), ("export", str(UUID(int=2)))],
        [("**colour**", "green")],
    ],
)
def test_a_wrong_address_is_refused(params: list[tuple[str, str]]) -> None:
    """What is unknown, repeated or malformed in an address is an error."""
    with pytest.raises(InvalidParameter):
        parse_place(params)


def test_a_wrong_address_shows_a_sentence_and_the_list(dashboard: Dashboard) -> None:
    """What is wrong with an address is said in a sentence, and the page works."""
    app = dashboard.open(STAFF, export="**x**")

    assert [error.value for error in app.error] == ["This address is not valid, so you are seeing the list of exports."]
    assert texts(app) == "export is not the id of an export: copy it from its receipt."
    assert [heading.value for heading in app.header] == ["Verify a file", "Your exports"]


FACTS: dict[str, Any] = {
    "bytes": 132,
    "sha256": SHA256,
    "has_bom": True,
    "has_header": True,
    "blank_lines": 0,
    "records": 0,
    "is_closed": True,
}


def test_facts_of_a_browser_are_parsed() -> None:
    """What the component sends is taken as the facts of a file."""
    assert parse_facts(FACTS) == Inspection(
        132, SHA256, has_bom=True, has_header=True, records=0, blank_lines=0, is_closed=True
    )


@pytest.mark.parametrize(
    "change",
    [
        {"bytes": -1},
        {"bytes": "132"},
        {"bytes": 1.5},
        {"records": 200},
        {"records": -1},
        {"sha256": SHA256.upper()},
        {"sha256": "%"},
        {"sha256": None},
        {"has_bom": 1},
    ],
    ids=str,
)
def test_anything_else_is_no_facts(change: dict[str, Any]) -> None:
    """A browser can send what it likes; what is not exactly facts counts as nothing."""
    assert parse_facts(FACTS | change) is None
    assert parse_facts(None) is None
    assert parse_facts([FACTS]) is None


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB (1,000 bytes)"),
        (999_960, "1.0 MB (999,960 bytes)"),
        (35_000_111, "35.0 MB (35,000,111 bytes)"),
        (10**16, "10000.0 TB (10,000,000,000,000,000 bytes)"),
    ],
)
def test_sizes_are_readable_and_exact(number: int, name: str) -> None:
    """A size is said in the unit that people use, and to the byte."""
    assert name_bytes(number, exact=True) == name


@pytest.mark.parametrize(
    ("seconds", "name"), [(-1, "0.0 s"), (0.04, "0.0 s"), (59.9, "59.9 s"), (59.96, "1 min 0 s"), (7325, "2 h 2 min")]
)
def test_durations_are_readable(seconds: float, name: str) -> None:
    """A duration is said in its two greatest units."""
    assert name_duration(timedelta(seconds=seconds)) == name
