"""The page of categories, run as Streamlit runs it."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import psycopg
import pytest
import streamlit as st
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from core.actor import DEMO_PERSON, Scope
from core.audit.events import Event
from core.auth.tickets import TicketOffice
from core.characters import quote
from core.db.databases import Databases
from core.db.startup import open_databases
from core.review.noted_reasons import mark_underage, read_noted
from core.settings import Settings
from dashboard.address.steps import PAGES
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT, TestServer
from tests.support.documents import APRIL
from tests.support.rows import insert_job, insert_log
from tests.support.waiting import wait_for

PAGE = ROOT / "dashboard" / "categories" / "page.py"
# As the composition root runs it, with fewer pages beside it.
MAIN = f"""
import streamlit as st
from dashboard.widgets.failure import show_failure
try:
    page = st.Page({str(PAGE)!r}, url_path="categories", default=True)
    st.navigation([st.Page("jobs/page.py", url_path="jobs"), page]).run()
except Exception as error:
    show_failure(error)
"""

# Names of clients as an attacker or an odd client may have chosen them.
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "**bold** [link](https://foreign.example) :red[x] $x$",
    "\u202egnitset \u2067x",
)

AWAY = "The database does not answer at the moment. Nothing is lost: try again in a few seconds."

OpenPage = Callable[..., AppTest]

W = TypeVar("W", bound=Widget)


@pytest.fixture
def demo(settings: Settings) -> Settings:
    return settings.model_copy(update={"fencepost_demo": True})


@pytest.fixture
def open_page(databases: Databases, demo: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open the page at an address as the demo person sees it."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    return lambda **params: _open(tmp_path, **params)


def _open(directory: Path, **params: str) -> AppTest:
    (directory / "jobs").mkdir(exist_ok=True)
    (directory / "jobs" / "page.py").write_text("")
    (directory / "main.py").write_text(MAIN)
    app = AppTest.from_file(str(directory / "main.py"), default_timeout=60)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def address(app: AppTest) -> dict[str, str]:
    """Return the parameters of the address, each of which stands there once."""
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def links(app: AppTest) -> list[tuple[str, dict[str, str]]]:
    """Return the links to Jobs: the label and the parameters of each."""
    found = [element.proto for element in app.get("page_link")]
    return [(proto.label, dict(parse_qsl(proto.query_string))) for proto in found]


def markdown(app: AppTest) -> str:
    """Return everything that is rendered as Markdown."""
    shown = (*app.markdown, *app.caption, *app.title, *app.header, *app.info, *app.warning, *app.error)
    return "\n".join(str(element.value) for element in shown)


def texts(app: AppTest) -> list[str]:
    return [element.value for element in app.text]


def charts(app: AppTest) -> list[Any]:
    return [element.proto for element in app.get("vega_lite_chart")]


def field(fields: Iterable[W], name: str) -> W:
    """Return the field of a name, whose key is another one after each step."""
    [found] = [item for item in fields if re.fullmatch(rf"{name}_\d+", str(item.key))]
    return found


def add_jobs(connection: psycopg.Connection, **values: Any) -> None:
    """Insert five jobs: two rejected, of which one has no flag; two passed, one of them flagged; one without a log."""
    for is_prohibited, flagged in ((True, True), (True, False), (False, True), (False, False)):
        job = insert_job(connection, is_prohibited=is_prohibited, **values)
        insert_log(connection, job, category_nsfw=flagged, category_underage=flagged or None)
    insert_job(connection, is_prohibited=True, **values)


def test_without_jobs_the_page_says_so(open_page: OpenPage) -> None:
    """Where there is nothing to count, a sentence says what to change, and no chart is empty."""
    app = open_page()

    assert [info.value for info in app.info] == ["No jobs match. Choose other days or another client."]
    assert charts(app) == []
    assert field(app.segmented_control, "categories_preset").value == "30d"


def test_figures_are_told_in_numbers_links_and_charts(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Sums, disagreements with what they open, and each chart with a sentence and a table."""
    add_jobs(connection)

    app = open_page(**APRIL, tz="Europe/Berlin")

    assert [(metric.label, metric.value) for metric in app.metric] == [
        ("Jobs", "5"),
        ("Rejected", "3"),
        ("Flagged", "2"),
        ("Log recorded", "4"),
    ]
    plain = APRIL | {"tz": "Europe/Berlin"}
    assert links(app) == [
        ("**2 jobs**", plain | {"decision": "reject", "flagged": "false", "has_reason": "false"}),
        ("**1 job**", plain | {"decision": "pass", "category": "ai_adult_general,underage,nsfw"}),
        ("**1 job**", plain | {"decision": "reject,pass", "evaluated": "false"}),
    ]
    assert len(charts(app)) == len(app.dataframe) == 5
    assert all(proto.alt for proto in charts(app))
    assert "5 jobs in 31 days: 3 rejected, 2 passed, 0 undecided." in markdown(app)
    assert "2 flagged jobs, 2 have several flags." in markdown(app)


def test_figures_are_of_one_moment(open_page: OpenPage, connection: psycopg.Connection, databases: Databases) -> None:
    """A job that comes in between two statements is in none of the figures: no mistake is taken off for its reason."""
    insert_job(connection, is_prohibited=True)

    with ThreadPoolExecutor(1) as threads, psycopg.connect(databases.ours.conninfo) as writing:
        # Jobs can be counted, and their reasons cannot.
        writing.execute("LOCK TABLE job_reason_counts")
        opening = threads.submit(open_page, **APRIL)
        wait_for(
            lambda: connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall(),
            "a page that counts reasons",
        )
        insert_job(writing, is_prohibited=True, reason="a rule")
        writing.commit()
        app = opening.result()

    assert [label for label, query in links(app) if query.get("has_reason") == "false"] == ["**1 job**"]
    assert app.metric[0].value == "1"


def test_a_look_is_in_the_audit(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """What was asked for is recorded before it is shown."""
    open_page(**APRIL, client_id="acme")

    rows = connection.execute("SELECT event, actor, details FROM audit_events").fetchall()

    assert rows == [(Event.CATEGORIES_VIEWED.value, "user:demo", {"filter": APRIL | {"client_id": "acme"}})]


def test_nothing_is_shown_that_was_not_recorded(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Where the audit cannot be written, neither a figure nor a client reaches the browser."""
    add_jobs(connection, client_id="secret-client")
    connection.execute("ALTER TABLE audit_events RENAME TO elsewhere")

    app = open_page(**APRIL)

    assert [error.value for error in app.error] == [AWAY]
    assert "secret-client" not in repr(app.main)
    assert (list(app.metric), charts(app), list(app.selectbox)) == ([], [], [])


def test_a_database_that_is_away_is_said(database_url: str, tmp_path: Path, server: TestServer) -> None:
    """Where the jobs cannot be asked, a sentence says so, and nothing of it is a trace or a name."""
    away = Settings(
        database_url=SecretStr(database_url),
        source_database_url=SecretStr(server.url_of("no_such_database")),
        fencepost_demo=True,
    )
    databases = open_databases(away)
    provide(Resources(databases, away, TicketOffice("x" * 43)))

    app = _open(tmp_path, **APRIL)

    databases.close()
    assert [error.value for error in app.error] == [AWAY]
    assert (list(app.metric), charts(app), list(app.selectbox)) == ([], [], [])
    assert "no_such_database" not in repr(app.main)


def test_a_hostile_client_is_text(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A client's name is an option and part of a plain sentence, and never Markdown; none turns what is beside it."""
    for name in HOSTILE:
        add_jobs(connection, client_id=name)

    everything = open_page(**APRIL)
    apps = {name: open_page(**APRIL, client_id=name, type="prompt") for name in HOSTILE}

    options = field(everything.selectbox, "categories_client").options
    assert sorted(options) == sorted([*HOSTILE[:2], "“\\u{202e}gnitset \\u{2067}x”"])
    for name, app in apps.items():
        assert app.metric[0].value == "5"
        assert name not in markdown(app)
        assert texts(app) == [
            f"Only these are counted: Jobs of client {quote(name)} from 1 Apr 2026 00:00 up to, not including, "
            "1 May 2026 00:00 (UTC), type “prompt”."
        ]


def test_a_change_is_one_step_of_the_address(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Period, days and client are written into the address, each keeping the others."""
    add_jobs(connection, client_id="acme")
    add_jobs(connection, client_id="globex")
    app = open_page(**APRIL, tz="UTC")

    field(app.selectbox, "categories_client").select("globex").run()
    assert address(app) == APRIL | {"client_id": "globex", "tz": "UTC"}
    assert app.metric[0].value == "5"

    field(app.date_input, "categories_last").set_value(date(2026, 4, 20))
    app.button(key="FormSubmitter:categories_days-Apply days").click().run()
    assert address(app) == APRIL | {"to": "2026-04-21T00:00:00Z", "client_id": "globex", "tz": "UTC"}

    field(app.segmented_control, "categories_preset").set_value("7d").run()
    assert address(app) == {"range": "7d", "client_id": "globex", "tz": "UTC"}

    # The second one is chosen before the first one's answer is there.
    field(app.segmented_control, "categories_preset").set_value("24h")
    field(app.selectbox, "categories_client").select("acme").run()
    assert address(app) == {"range": "24h", "client_id": "acme", "tz": "UTC"}

    field(app.selectbox, "categories_client").select(None).run()
    assert address(app) == {"range": "24h", "tz": "UTC"}


def test_a_choice_made_on_a_page_that_was_left_does_not_change_the_address(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Streamlit gives a choice, and a link followed before it was heard, to one run: that of the link's page."""
    add_jobs(connection, client_id="acme")
    app = open_page(**APRIL, tz="UTC")

    app.session_state[PAGES] = {"of another page"}
    field(app.selectbox, "categories_client").select("acme").run()

    assert address(app) == APRIL | {"tz": "UTC"}


def test_missing_logs_are_warned_of_within_one_day(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A period of one day is held against the days before it."""
    for day in range(1, 4):
        for number in range(60):
            at = datetime(2026, 4, day, 12, tzinfo=UTC)
            job = insert_job(connection, created_at=at, is_prohibited=False)
            if day < 3 or number < 20:
                insert_log(connection, job, created_at=at)

    app = open_page(**{"from": "2026-04-03T00:00:00Z", "to": "2026-04-04T00:00:00Z", "tz": "UTC"})

    assert [warning.value for warning in app.warning] == [
        "Logs are missing: usually 100.0% of the decided jobs of a day have a log, but fewer on 3 Apr 2026 (33.3%). "
        "What was decided without a log cannot be checked by category."
    ]


def test_further_filters_are_said_and_cleared(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A filter without a control is honoured, said in a sentence, and dropped by a button."""
    add_jobs(connection)
    app = open_page(**APRIL, decision="pass", q="prompt", client_id="acme")

    assert app.metric[0].value == "2"
    assert texts(app) == [
        "Only these are counted: Passed jobs of client “acme” from 1 Apr 2026 00:00 up to, not including, "
        "1 May 2026 00:00 (UTC), prompt contains “prompt”."
    ]
    assert "Not among these jobs: the filter leaves them out." in markdown(app)
    assert "These cover all jobs of the period and the client, whatever the other filters say." in markdown(app)

    app.button(key="categories_clear").click().run()

    assert address(app) == APRIL | {"client_id": "acme"}
    assert app.metric[0].value == "5"
    assert texts(app) == []


@pytest.mark.parametrize("params", [{"range": "9d"}, {"decision": "no"}, {"tz": "Nowhere"}, {"nope": "<b>x</b>"}])
def test_a_wrong_address_shows_the_default_view(open_page: OpenPage, params: dict[str, str]) -> None:
    """What is wrong is said as text, and the page is the one of 30 days."""
    app = open_page(**params)

    assert [error.value for error in app.error] == ["This address is not valid, so you are seeing the default view."]
    assert len(texts(app)) == 1
    assert "<b>" not in markdown(app)
    assert field(app.segmented_control, "categories_preset").value == "30d"


def test_wrong_days_leave_the_view_as_it_was(open_page: OpenPage) -> None:
    """A sentence says what is wrong, and the address stays."""
    app = open_page(**APRIL, tz="UTC")

    field(app.date_input, "categories_first").set_value(date(2026, 5, 20))
    app.button(key="FormSubmitter:categories_days-Apply days").click().run()

    assert address(app) == APRIL | {"tz": "UTC"}
    assert "The first day is after the last: swap them." in texts(app)


def test_what_takes_too_long_is_off_and_said(
    database_url: str, tmp_path: Path, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where counting takes longer than a page may, controls and reviews stay and a sentence says what is off."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    connection.execute("ALTER TABLE jobs RENAME TO slow_jobs")
    connection.execute("CREATE VIEW jobs AS SELECT slow_jobs.* FROM slow_jobs, LATERAL (SELECT pg_sleep(1)) AS slept")
    add_jobs_to = "INSERT INTO slow_jobs (job_id, client_id, type, status, created_at) VALUES "
    connection.execute(add_jobs_to + "(gen_random_uuid(), 'acme', 'prompt', 'queued', '2026-04-15T12:00:00Z')")
    slow = Settings(
        database_url=SecretStr(database_url),
        source_database_url=SecretStr(f"{database_url}&application_name=source"),
        fencepost_demo=True,
        fencepost_page_timeout=0.2,
    )
    databases = open_databases(slow)
    provide(Resources(databases, slow, TicketOffice("x" * 43)))

    app = _open(tmp_path, **APRIL)

    databases.close()
    assert [warning.value for warning in app.warning] == [
        "Figures, charts and tables are off: counting these jobs takes longer than the 0.2 seconds that a page may "
        "take. The jobs live in a database where nothing is counted ahead, so each is looked at: choose fewer days, "
        "or clear other filters."
    ]
    assert (list(app.metric), charts(app)) == ([], [])
    assert len(app.selectbox) == 1
    assert "Nobody has agreed with or overturned a decision on these jobs yet." in markdown(app)


def test_reasons_are_links_to_their_jobs(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Each reason that is a rule's name leads to its jobs; one that may quote a prompt is counted and not sent."""
    for number in range(12):
        insert_job(connection, reason=HOSTILE[number % 2], prompt=f"a prompt {number}", is_prohibited=True)
    insert_job(connection, reason="quotes the prompt", is_prohibited=True)

    app = open_page(**APRIL)

    found = [(label, query["reason"]) for label, query in links(app) if "reason" in query]
    assert sorted(reason for _, reason in found) == sorted(HOSTILE[:2])
    assert not [label for label, _ in found if re.search(r"(?<!\\)[<*]", label)]
    assert all({name: query[name] for name in APRIL} == APRIL for _, query in links(app) if "reason" in query)
    assert markdown(app).count("6 jobs · 46.2% of those with a reason") == 2
    assert markdown(app).count(":blue-badge[New]") == 2
    assert [proto.alt for proto in charts(app) if proto.alt.startswith("The commonest reasons by day")]
    assert "1 reason appears with fewer than 5 different prompts" in markdown(app)
    assert "quotes the prompt" not in repr(app)


def test_an_admin_marks_a_reason_as_underage(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases
) -> None:
    """The switch beside a reason is in the audit, shows for everybody, and is not there for others."""
    for number in range(5):
        insert_job(connection, reason="a rule", prompt=f"a prompt {number}", is_prohibited=True)
    connection.commit()

    app = open_page(**APRIL)
    # Its label is read out, and told from those of other reasons.
    assert (app.toggle[0].label, app.toggle[0].value) == ("Underage: a rule", False)
    app.toggle[0].set_value(True).run()

    assert app.toggle[0].value
    assert open_page(**APRIL).toggle[0].value
    assert read_noted(databases).underage == {"a rule"}
    marked = connection.execute("SELECT details FROM audit_events WHERE event = 'reason-marked'").fetchall()
    assert marked == [({"reason": "a rule"},)]


def test_others_see_the_mark_and_no_switch(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the scope of admins there is nothing to switch."""
    for number in range(5):
        insert_job(connection, reason="a rule", prompt=f"a prompt {number}", is_prohibited=True)
    connection.commit()
    mark_underage(databases, DEMO_PERSON, "a rule", is_underage=True)
    reader = replace(DEMO_PERSON, scopes=frozenset({Scope.JOB_READ}))
    monkeypatch.setattr("dashboard.session.person.DEMO_PERSON", reader)

    app = open_page(**APRIL)

    assert not list(app.toggle)
    assert "Marked underage" in markdown(app)


def test_where_no_job_has_a_reason_nothing_is_said_of_reasons(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """A service without reasons is not shown an empty list of them."""
    add_jobs(connection)

    app = open_page(**APRIL)

    assert "Reasons" not in [header.value for header in app.header]
