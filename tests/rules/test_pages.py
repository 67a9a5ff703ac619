"""What holds of every page alike: with nothing to show, with something, with hostile texts, and with nobody there."""

import re
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
import streamlit as st
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import SecretStr
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from core.actor import Actor
from core.audit.events import Event, record
from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.db.startup import open_databases
from core.export.receipts import Progress, Status, Via, close_receipt, open_receipt
from core.jobs.wall import Wall
from core.settings import Settings
from dashboard.quality.sample_list import NONE_YET
from dashboard.session.resources import Resources, provide
from tests.conftest import TestServer
from tests.support.app import MAIN, open_app
from tests.support.documents import APRIL, april
from tests.support.rows import insert_job, insert_log
from tests.support.said import list_said

PAGES = (
    "jobs",
    "categories",
    "reviews",
    "quality",
    "policy",
    "exports",
    "people",
    "keys",
    "webhooks",
    "retention",
    "audit",
)

# What Streamlit makes something of where it stands in Markdown, short enough to stand whole in a chip.
HOSTILE = "e\u202evil<img>**b**$x$:red[r]:material/home:"
MARKUP = ("<img>", "**b**", "$x$", ":red[r]", ":material/home:", "\u202e")
LONG = HOSTILE * 50_000

# Where Streamlit shows a text as nothing but text, or does not show it at all: what widgets hold, what is to be copied,
# what our own components get, and the addresses of links.
MIXED = {"cell", "Text.body", "Selectbox.options", "Selectbox.raw_value", "MultiSelect.options"}
PLAIN = {
    *(*MIXED, "MultiSelect.raw_values", "TextInput.value", "TextInput.default", "TextArea.value", "TextArea.default"),
    *("Code.code_text", "BidiComponent.json", "LinkButton.url", "PageLink.query_string"),
}

# Where the form and the chips of the page of jobs show its filter.
FORM = {
    *("Button.label", "TextArea.default", "Selectbox.options", "Selectbox.raw_value", "MultiSelect.options"),
}

JOB, SAME, EXPORT, OTHER_EXPORT = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
SAMPLE, OTHER_SAMPLE, WEBHOOK = UUID(int=5), UUID(int=6), UUID(int=7)
KEY = "abcdefghijkl"

ORDINARY = pytest.mark.parametrize("template", [("acme", "a prompt")], indirect=True, ids=["ordinary"])

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page at an address, through the script that runs for all of them, as the demo person."""
    # AppTest has no browser: it answers for one with an object that is no text.
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    return lambda page, **params: open_app(page, "Europe/Berlin", params)


@pytest.fixture(scope="module")
def template(request: pytest.FixtureRequest, server: TestServer, default_settings: Settings) -> Iterator[str]:
    """A database that is filled with a text and a prompt, once for all pages."""
    name = f"fencepost_filled_{uuid4().hex[:8]}"
    url = SecretStr(server.create_migrated(name))
    databases = open_databases(default_settings.model_copy(update={"database_url": url}))
    with psycopg.connect(url.get_secret_value(), autocommit=True) as connection:
        fill(databases, connection, *request.param)
    databases.close()
    yield name
    server.drop(name)


def fill(databases: Databases, connection: psycopg.Connection, text: str, prompt: str) -> None:
    """Put a text wherever somebody outside may have put one: two jobs, reviews, a key, two exports, an event."""
    for job_id, is_prohibited in ((JOB, True), (SAME, False)):
        outside = {"prompt": prompt, "reason": text, "type": text, "client_id": text}
        insert_job(connection, job_id=job_id, is_prohibited=is_prohibited, **outside)
        insert_log(connection, job_id, category_nsfw=True)
    connection.execute("INSERT INTO people (person, address) VALUES (%s, %s)", (text, text))
    connection.execute(
        """
        INSERT INTO people (person, address, preferences) VALUES ('user:demo', 'demo', %s)
        """,
        (Jsonb({"hiding": "show"}),),
    )
    for person in (text, "user:demo"):
        connection.execute(
            """
            INSERT INTO reviews
                (act_id, person, job_id, client_id, job_created_at, is_prohibited, evaluated, verdict, note)
            VALUES (gen_random_uuid(), %s, %s, %s, '2026-04-15T12:00:00Z', true, true, 'overturn', %s)
            """,
            (person, JOB, text, text),
        )
    connection.execute(
        "INSERT INTO api_keys (key_id, name, client_id, scopes, secret_sha256, created_by)"
        " VALUES (%s, %s, %s, '{job:read}', %s, %s)",
        (KEY, text, text, bytes(32), text),
    )
    connection.execute(
        "INSERT INTO webhook_endpoints (endpoint_id, url, client_id, events, secret, created_by)"
        " VALUES (%s, %s, %s, '{review.overturned}', 'whsec_x', %s)",
        (WEBHOOK, text, text, text),
    )
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, message_id, event, body, attempts, last_error, given_up_at)"
        " VALUES (%s, %s, 'review.overturned', %s, 10, 'it refused the message', now())",
        (WEBHOOK, "msg_1", text),
    )
    for export_id, name in ((EXPORT, f"key:{KEY}"), (OTHER_EXPORT, text)):
        actor = Actor(name, Wall(None), frozenset())
        open_receipt(databases, actor, export_id, april(q=text, type=text, client_id=text), via=Via.API)
        close_receipt(databases, actor, export_id, Progress(12, 345), Status.INTERRUPTED)
    connection.execute(
        "INSERT INTO policies (version, kind, value, text, written_by, earlier_count) VALUES"
        " (1, 'reason', %s, 'what it means', %s, true)",
        (text, text),
    )
    connection.execute(
        "INSERT INTO queues (queue_id, name, owner, filter, is_growing, kind, is_oldest_first, needs_note,"
        " needs_categories) VALUES (%s, %s, %s, %s, false, 'second', true, true, true)",
        (UUID(int=77), text[:200], text, Jsonb(april(client_id=text).to_params())),
    )
    for sample_id in (SAMPLE, OTHER_SAMPLE):
        connection.execute(
            "INSERT INTO samples (sample_id, name, drawn_by, filter, strata, seed, drawn_at) VALUES"
            " (%s, %s, %s, %s, '{decision,reason,client}', 1, '2026-04-20Z')",
            (sample_id, text[:200], text, Jsonb(april(client_id=text).to_params())),
        )
        for stratum, (job_id, is_prohibited) in enumerate(((JOB, True), (SAME, False))):
            connection.execute(
                "INSERT INTO sample_strata VALUES (%s, %s, %s, 10)",
                (sample_id, stratum, Jsonb([is_prohibited, text, text])),
            )
            connection.execute(
                "INSERT INTO sample_jobs VALUES (%s, %s, %s, %s, %s, '2026-04-15Z', %s)",
                (sample_id, job_id, stratum, stratum, text, is_prohibited),
            )
    connection.execute(
        "INSERT INTO rights (kind, provider, name, scopes, clients, given_by) VALUES ('group', '', %s, %s, %s, %s)",
        (text, ["job:read"], [text], text),
    )
    connection.execute(
        "INSERT INTO sessions (session, person, address, provider, is_verified, authenticated_at, is_allowed, groups)"
        " VALUES (%s, %s, %s, 'default', true, now(), true, %s)",
        ("7" * 64, text, text, [text]),
    )
    stranger = Actor(text, Wall(None), frozenset(), text, text)
    connection.execute(
        "INSERT INTO holds (hold_id, client_id, reason, placed_by) VALUES (%s, %s, %s, %s)",
        (UUID(int=78), text, text[:500], text),
    )
    gone = {"client": text, "jobs": 1, "logs": 1, "notes": 0, "drafts": 0, "exports": [], "more_exports": 0}
    record(databases, Event.JOBS_ERASED, stranger, subject=text, details=gone)
    given = {"scopes": ["job:read"], "clients": None}
    record(databases, Event.RIGHTS_GIVEN, stranger, subject=text, details=given)
    record(databases, Event.REFUSED, stranger, subject=text, details={"filter": {"q": text}})


@pytest.mark.parametrize(
    ("page", "params", "sentence"),
    [
        ("jobs", APRIL, "No jobs match."),
        ("categories", APRIL, "No jobs match. Choose other days or another client."),
        ("reviews", APRIL, "Nothing is left in this queue for this filter."),
        ("exports", {}, "There are no exports here yet. Download a CSV on the Jobs page, and its receipt appears."),
        ("quality", {}, NONE_YET),
        ("people", {}, "No rights are given yet: the lists in the settings alone decide."),
        ("keys", {}, "There are no keys yet."),
        ("webhooks", {}, "There are no webhooks yet."),
        ("retention", {}, "No job is held."),
        ("audit", {"who": "nobody"}, "No events match. Choose other days or clear the filter."),
    ],
)
def test_without_data_a_page_says_so(open_page: OpenPage, page: str, params: dict[str, str], sentence: str) -> None:
    """Where there is nothing a sentence says so, and no table or chart is empty."""
    app = open_page(page, **params)
    if page == "reviews":
        next(item for item in app.button if str(item.key).startswith("start_")).click().run()

    assert [info.value for info in app.info] == [sentence]
    assert (len(app.dataframe), len(app.get("vega_lite_chart")), list(app.error)) == (0, 0, [])


@pytest.mark.parametrize(
    ("page", "params", "shown"),
    [
        ("jobs", APRIL, ("Download CSV · 2 rows", "✕ Rejected", str(JOB), "a prompt")),
        ("jobs", APRIL | {"job": str(JOB)}, ("“acme”", "2 jobs, from Wed 15 Apr 2026", "Escalate")),
        ("categories", APRIL, ("Passed although flagged", "Day by day", "2 verdicts overturn the decision, of 2")),
        ("reviews", APRIL | {"job": str(JOB)}, (str(JOB), "Agree", "“acme”: overturn")),
        ("quality", {}, ("1 of 2 opinions.", "acme")),
        ("quality", {"sample": str(SAMPLE)}, ("acme", "Compared with", "no such job is judged yet")),
        ("policy", {}, ("Reason “acme”", "what it means", "Version 1", "acme")),
        ("exports", {}, ("12 rows · 345 bytes", "Receipt 00000000", "by the key “acme” through the API")),
        ("exports", {"export": str(EXPORT)}, ("345 bytes", str(EXPORT), "Show these jobs")),
        ("people", {}, ("group acme", "Read", "– Nothing")),
        ("keys", {}, ("✓ Valid", f"fp_{KEY}_…", "acme")),
        ("webhooks", {}, ("✓ Active", "acme", "✕ Given up", "it refused the message")),
        ("retention", {}, ("client “acme”", "✓ In force", "all jobs of client “acme”")),
        ("audit", {}, ("refused", "filter: (q: acme)", "clients: all", "export-finished")),
    ],
)
@pytest.mark.usefixtures("template")
@ORDINARY
def test_with_data_a_page_shows_it(
    open_page: OpenPage, page: str, params: dict[str, str], shown: tuple[str, ...]
) -> None:
    """Ordinary data is on each page, and on what it opens."""
    texts = [text for _, text in list_said(open_page(page, **params))]

    assert [part for part in shown if not any(part in text for text in texts)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_parameter_that_no_page_knows_is_said(open_page: OpenPage, page: str) -> None:
    """What a page does not take from its address is not ignored without a word."""
    app = open_page(page, unknown="1")

    assert [error.value for error in app.error if error.value.startswith("This address is not valid")] != []


@pytest.mark.parametrize("page", ["jobs", "categories", "reviews"])
def test_without_a_database_a_page_says_so(open_page: OpenPage, connection: psycopg.Connection, page: str) -> None:
    """Where the jobs cannot be read a sentence says what to do, and a button tries it again."""
    connection.execute("ALTER TABLE jobs RENAME TO elsewhere")

    app = open_page(page, **APRIL)

    assert [error.value for error in app.error] == [
        "The database does not answer at the moment. Nothing is lost: try again in a few seconds."
    ]
    assert app.button(key="try_again")


@pytest.mark.parametrize("page", ["categories", "exports", "audit"])
def test_a_database_that_refuses_is_not_said_to_be_away(
    open_page: OpenPage, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture, page: str
) -> None:
    """Where nothing can be written, as on a standby, nobody is told to try again; the log says why, and no page."""
    name = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    app = open_page(page, **(APRIL if page == "categories" else {}))

    assert [error.value for error in app.error] == [
        "The database refuses what is asked here, and nothing was changed. Whoever runs Fencepost finds the reason in "
        "the server's log."
    ]
    assert "DATABASE_URL cannot be written" in caplog.text


FILTER = APRIL | {"client_id": HOSTILE, "type": HOSTILE, "q": HOSTILE}
WRONG = {f"{HOSTILE} is": HOSTILE}


@pytest.mark.parametrize(
    ("page", "params", "places"),
    [
        ("jobs", FILTER | {"job": str(JOB)}, {"cell", "Text.body", "BidiComponent.json", "TextArea.default"}),
        ("jobs", FILTER | {"client_id": f"x{HOSTILE[1:]}"}, FORM),
        ("jobs", WRONG, {"Text.body", "Selectbox.options"}),
        ("categories", FILTER, {"Text.body", "Selectbox.options", "Selectbox.raw_value"}),
        ("categories", WRONG, {"Text.body", "Selectbox.options"}),
        (
            "reviews",
            FILTER | {"job": str(JOB)},
            {"Text.body", "BidiComponent.json", "TextArea.default", "PageLink.label", "Radio.options"},
        ),
        ("reviews", WRONG, {"Text.body", "PageLink.label", "Radio.options"}),
        ("quality", {}, {"Text.body", "Button.label"}),
        ("quality", {"sample": str(SAMPLE)}, {"Text.body", "Heading.body", "Selectbox.options", "cell"}),
        ("quality", WRONG, {"Text.body", "Button.label"}),
        ("policy", {}, {"Markdown.body"}),
        ("exports", {}, {"Text.body"}),
        ("exports", {"export": str(EXPORT)}, {"Text.body"}),
        ("exports", {"export": str(OTHER_EXPORT)}, {"Text.body"}),
        ("people", {}, {"cell", "Selectbox.options"}),
        ("keys", {}, {"cell", "Selectbox.options"}),
        ("webhooks", {}, {"cell", "Selectbox.options"}),
        ("retention", {}, {"cell", "Selectbox.options"}),
        ("audit", {}, {"cell"}),
        ("audit", {"who": HOSTILE.replace("\u202e", "")}, {"TextInput.default"}),
    ],
)
@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("template", [(HOSTILE, LONG)], indirect=True, ids=["hostile"])
def test_hostile_texts_are_text(open_page: OpenPage, page: str, params: dict[str, str], places: set[str]) -> None:
    """HTML, Markdown, LaTeX and directives are text wherever they stand, and marks of direction turn nothing of ours.

    Of a prompt of two million characters no more than the first 20,000 are sent.
    """
    said = list_said(open_page(page, **params))

    found = [(place, text) for place, text in said if "<img" in text or "\\<img" in text]
    markdown = [(place, re.sub(r"\\([!-/:-@\[-`{-~])", "", text)) for place, text in said if place not in PLAIN]
    assert {place for place, _ in found} == places
    assert [(place, text) for place, text in markdown for markup in MARKUP if markup in text] == []
    assert [(place, text) for place, text in said if place in MIXED and turns(text)] == []
    assert sum(text.count("<img>") for _, text in said) < 1_000


def turns(text: str) -> bool:
    """Tell whether a mark of direction reaches beyond what came from outside: only a line of its own holds it."""
    lines = [re.sub("\u2068[^\u2069]*\u2069", "", line) for line in text.splitlines()]
    return any("\u202e" in line and not HOSTILE.startswith(line.replace(HOSTILE, "")) for line in lines)


@pytest.mark.usefixtures("template")
@ORDINARY
@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_asked_where_nobody_has_signed_in(databases: Databases, settings: Settings, page: str) -> None:
    """Without a person no page borrows a connection or shows anything, by its address or its script, door or none."""
    staff = settings.model_copy(update={"fencepost_staff": "staff@example.com"})
    asked: list[str] = []
    for database in {databases.ours, databases.source}:
        event.listen(database.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        event.listen(database.engine, "checkout", lambda *_: asked.append("a connection"))
    address = {"exports": {"export": str(EXPORT)}, "people": {}, "keys": {}, "audit": {}}.get(
        page, APRIL | {"job": str(JOB)}
    )

    apps = []
    for door in (None, Door(databases, staff, ("default",))):
        provide(Resources(databases, staff, TicketOffice("x" * 43), door, ("default",)))
        for script in (MAIN, MAIN.with_name(page) / "page.py"):
            app = AppTest.from_file(str(script), default_timeout=60)
            app.user = {"is_logged_in": False}
            for name, value in address.items():
                app.query_params[name] = value
            apps.append(app.run())

    assert asked == []
    assert [list(app.exception) for app in apps] == [[]] * 4
    assert [[title.value for title in app.title] for app in apps] == [["Fencepost"], [], ["Fencepost"], []]
    assert [text for app in apps for _, text in list_said(app) if "acme" in text or "a prompt" in text] == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"),
        ("9998-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_the_ends_of_time_are_no_fault(
    open_page: OpenPage, connection: psycopg.Connection, start: str, end: str, zone: str
) -> None:
    """Addresses and jobs of the first and the last year show what there is, in zones on both sides of UTC."""
    for number, at in enumerate(("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999998Z"), start=10):
        job_id = insert_job(connection, job_id=UUID(int=number), created_at=at, is_prohibited=True, completed_at=at)
        insert_log(connection, job_id, created_at=at)
    connection.commit()
    for page, more in (
        ("jobs", {}),
        ("jobs", {"job": str(UUID(int=10))}),
        ("jobs", {"job": str(UUID(int=11))}),
        ("jobs", {"after": f"{end}_{UUID(int=9)}"}),
        ("categories", {}),
        ("reviews", {}),
        ("quality", {}),
        ("audit", {}),
    ):
        app = open_page(page, **{"from": start, "to": end, "tz": zone, **more})

        assert not [error.value for error in app.error if "address" not in error.value], page
        assert not [text for text in list_said(app) if "went wrong" in text], page
