"""The page of jobs, run as Streamlit runs it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import streamlit as st
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from core.actor import DEMO_PERSON
from core.audit.events import Event
from core.auth.tickets import TicketOffice
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.jobs import search
from core.review.noted_reasons import mark_underage
from core.settings import Settings
from dashboard.address.periods import preset_range
from dashboard.exports.receipt_corner import SETTLED
from dashboard.jobs.download_bar import curl_command
from dashboard.jobs.filter_chips import list_chips
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.documents import april
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.said import list_said

# The link to the other page needs both to stand beside the script.
MAIN = """
import streamlit as st
st.navigation([st.Page("jobs/page.py", default=True), st.Page("reviews/page.py", url_path="reviews")]).run()
"""
APRIL = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}

HOSTILE = "<img src=x onerror=alert(1)> **bold** $\\alpha$ :material/home: :red[x] \u202eevil\u200b"

OpenPage = Callable[..., AppTest]


@pytest.fixture
def demo(settings: Settings) -> Settings:
    return settings.model_copy(update={"fencepost_demo": True})


@pytest.fixture
def script(tmp_path: Path) -> str:
    for name in ("jobs", "reviews"):
        (tmp_path / name).mkdir()
    (tmp_path / "main.py").write_text(MAIN)
    page = ROOT / "dashboard" / "jobs" / "page.py"
    (tmp_path / "jobs" / "page.py").write_text(f"import runpy\nrunpy.run_path({str(page)!r})\n")
    (tmp_path / "reviews" / "page.py").write_text("")
    return str(tmp_path / "main.py")


@pytest.fixture
def open_page(databases: Databases, demo: Settings, monkeypatch: pytest.MonkeyPatch, script: str) -> OpenPage:
    """Open the page at an address, as the demo person."""
    # AppTest has no browser: it answers for one with objects that are neither text nor bytes.
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "url", property(lambda _: "http://localhost:3051/"))
    provide(Resources(databases, demo, TicketOffice("x" * 43)))

    def open_at(**params: str) -> AppTest:
        app = AppTest.from_file(script, default_timeout=60)
        for name, value in (params if params.keys() & {"range", "from"} else APRIL | params).items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return open_at


def address(app: AppTest) -> dict[str, str]:
    """Return the parameters of the address, each of which stands there once."""
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def shown(app: AppTest) -> str:
    """Return what is shown as plain text, and in tables."""
    frames = "\n".join(element.value.to_csv() for element in app.dataframe)
    return "\n".join([*(element.value for element in app.text), frames])


def rendered(app: AppTest) -> str:
    """Return what is rendered as Markdown."""
    found = [*app.markdown, *app.caption, *app.title, *app.info, *app.error, *app.warning]
    return "\n".join([*(str(element.value) for element in found), *(button.label for button in app.button)])


def sent(app: AppTest) -> str:
    """Return all that the page has sent to the browser, components included."""
    return repr(app.main) + "".join(str(element.proto) for element in app.get("bidi_component")) + shown(app)


def events(connection: psycopg.Connection) -> list[tuple[str, str | None, dict[str, object]]]:
    return connection.execute("SELECT event, subject, details - 'filter' FROM audit_events ORDER BY seq").fetchall()


def test_no_jobs_at_all(open_page: OpenPage) -> None:
    """An empty database says how jobs come in, shows totals of nothing and no table, and offers the (empty) file."""
    app = open_page()

    assert [info.value for info in app.info] == ["No jobs match."]
    assert (
        "There is no job in this period. Nor is there one at any other time: `python -m core import` and "
        "`python -m core sync` bring jobs in."
    ) in rendered(app)
    assert len(app.dataframe) == 0
    assert "Download CSV · 0 rows" in [text for _, text in list_said(app)]
    assert "**0** of 0 rejected · **0** undecided · **0** not evaluated" in rendered(app)


def test_totals_are_those_of_the_range_and_the_time_before(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """One line says rejected, their share of the decided, undecided and not evaluated; its help says each change."""
    for number in range(4):
        job_id = insert_job(connection, is_prohibited=(True, False, None, True)[number])
        if number == 0:
            insert_log(connection, job_id)
    for decision in (True, False):
        insert_log(connection, insert_job(connection, is_prohibited=decision, created_at=NOON - timedelta(days=30)))

    app = open_page(decision="pass")

    line = next(element for element in app.markdown if "rejected" in element.value)
    assert line.value == ":small[**2** of 4 rejected · 66.7% of decided · **1** undecided · **3** not evaluated]"
    assert line.help.split("  \n") == [
        "Compared with the same length of time before:",
        "Jobs: 4, was 2 (+100.0%)",
        "Rejected: 2, was 1 (+100.0%)",
        "Share rejected: 66.7%, was 50.0% (+16.7 points)",
        "Undecided: 1, was 0",
        "Not evaluated: 3, was 0",
    ]
    # Beside jobs that are fewer than those of the period, they say that they are of all of it.
    assert "Whole period: **2** of 4 rejected" in rendered(open_page(q="a"))


def test_what_removed_everything_is_offered_to_be_dropped(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Each condition without which there would be jobs is a button that says how many."""
    insert_job(connection, type="image", is_prohibited=True)
    insert_job(connection, type="image", is_prohibited=True)
    insert_job(connection, type="prompt", is_prohibited=True, client_id="beta")

    app = open_page(type="video", decision="reject")

    buttons = {button.key: button.label for button in app.button if (button.key or "").startswith("drop_")}
    assert list(buttons) == ["drop_type"]
    assert buttons["drop_type"].endswith(": 3 jobs")
    app.button(key="drop_type").click().run()
    assert address(app) == {**APRIL, "decision": "reject"}
    assert len(app.dataframe[0].value) == 3


def test_several_filters_together_are_said_to_have_removed_everything(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Where no single one is to blame, the page says so."""
    insert_job(connection, type="image", is_prohibited=True)

    app = open_page(type="video", decision="pass")

    assert "several do so together" in rendered(app)


def test_an_empty_period_offers_the_newest_jobs(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Who opens an old file is led to its last week, the client's where one is chosen; the filter stays."""
    insert_job(connection, client_id="acme", created_at=NOON - timedelta(days=100))
    insert_job(connection, client_id="acme", created_at=NOON - timedelta(days=106))
    insert_job(connection, client_id="acme", created_at=NOON - timedelta(days=107))
    insert_job(connection, client_id="beta", created_at=NOON - timedelta(days=50))

    app = open_page(client_id="acme", decision="pass,reject")

    assert "This client has no job in this period. The newest one is of Mon 5 Jan 2026." in rendered(app)
    app.button(key="newest_jobs").click().run()
    assert address(app) == {
        "from": "2025-12-30T00:00:00Z",
        "to": "2026-01-06T00:00:00Z",
        "decision": "reject,pass",
        "client_id": "acme",
    }
    assert len(app.dataframe[0].value) == 2


def test_a_client_without_jobs_in_the_period_is_led_to_its_newest(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Also where others have jobs in the period; it can be left out, too."""
    insert_job(connection, client_id="acme", created_at=NOON - timedelta(days=100))
    insert_job(connection, client_id="beta")

    app = open_page(client_id="acme")

    assert "This client has no job in this period. The newest one is of Mon 5 Jan 2026." in rendered(app)
    assert [button.key for button in app.button if (button.key or "").startswith("drop_")] == ["drop_client_id"]


def test_chips_name_each_filter_and_drop_it(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Every parameter of the export but the bounds has a chip; dropping all of them one by one leaves the range.

    Two that are dropped before the page was drawn anew are both dropped.
    """
    every = {
        "decision": "reject,pass",
        "client_id": "acme",
        "type": "prompt,image",
        "status": "failed",
        "category": "nsfw,underage",
        "category_ai_adult_general": "empty",
        "category_nsfw": "true",
        "category_underage": "false",
        "evaluated": "true",
        "flagged": "true",
        "q": "100 %",
        "reason": "a *rule*",
        "reason_contains": "rule",
        "has_reason": "true",
        "job_id": "00",
        "api_key_id": "key-1,key-2",
        "spreadsheet_safe": "true",
    }

    job_filter = april(**every)
    app = open_page(**every)

    chips = list_chips(job_filter)
    assert {chip.name for chip in chips} == set(every)
    assert [button.label for button in app.button if (button.key or "").startswith("chip_")] == [
        chip.label for chip in chips
    ]
    for chip in chips:
        left = chip.without.to_params()
        assert set(job_filter.to_params()) - set(left) == {chip.name}
    app.button(key="chip_type").click()
    app.button(key="chip_status").click().run()
    assert set(app.query_params) == {"from", "to", *every} - {"type", "status"}
    app.button(key="clear_filters").click().run()
    assert set(app.query_params) == {"from", "to"}


def test_the_form_shows_the_address_and_writes_it(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Every filter of the contract has a control, which shows it and writes it back the same."""
    insert_job(connection, client_id="acme")
    every = {
        "type": "image,odd",
        "status": "completed,failed",
        "decision": "reject",
        "category": "underage",
        "category_nsfw": "empty",
        "evaluated": "false",
        "flagged": "false",
        "q": "a_b%",
        "reason": " a rule, \nexactly\n",
        "reason_contains": "rule",
        "has_reason": "false",
        "job_id": "0123,f",
        "api_key_id": "key 2,key-1",
        "client_id": "acme",
    }

    app = open_page(**every)
    app.button(key="FormSubmitter:filter-Apply").click().run()

    assert address(app) == {**APRIL, **every}
    assert not app.error


def test_the_filter_finds_reasons_with_their_numbers(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases
) -> None:
    """Names of rules are offered, and no reason that may quote a prompt; what is chosen or typed is looked for."""
    for number in range(6):
        insert_job(connection, prompt=f"prompt {number}", reason="a *rule*", is_prohibited=True)
    insert_job(connection, prompt="secret", reason="quotes a secret", is_prohibited=True)
    connection.commit()
    keep_facts(databases.ours)

    def find(app: AppTest) -> Any:
        return next(box for box in app.selectbox if box.label == "Reason is")

    app = open_page()
    assert find(app).options == ["a *rule* · 6 jobs"]
    find(app).select_index(0)
    app.button(key="FormSubmitter:filter-Apply").click().run()
    assert address(app) == {**APRIL, "reason": "a *rule*"}
    assert find(app).value == "a *rule*"
    assert find(open_page(reason="typed by hand")).options == ["a *rule* · 6 jobs", "typed by hand"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ({"api_key_id": "key-7", "api_key_name": "nightly *run*"}, "“nightly *run*”, id “key-7”"),
        ({"api_key_id": "key-7"}, "id “key-7”"),
        ({"api_key_name": "nightly"}, "“nightly”"),
        ({}, None),
    ],
)
def test_an_open_job_says_its_api_key(
    open_page: OpenPage, connection: psycopg.Connection, key: dict[str, str], shown: str | None
) -> None:
    """By name and id, as far as the source tells them."""
    job_id = insert_job(connection, **key)

    app = open_page(job=str(job_id))

    told = [line for text in app.text for line in text.value.splitlines() if line.startswith("API key: ")]
    assert told == ([] if shown is None else [f"API key: {shown}"])


def fill(app: AppTest, label: str, text: str) -> AppTest:
    """Fill in a field of the form and apply it."""
    next(area for area in app.text_area if area.label == label).set_value(text)
    return app.button(key="FormSubmitter:filter-Apply").click().run()


@pytest.mark.parametrize(
    ("label", "pasted", "name", "value"),
    [
        ("Job ids", f" {{{UUID(int=1)}}}\n“{UUID(int=2)}”", "job_id", f"{UUID(int=1)},{UUID(int=2)}"),
        ("Job ids", f"https://fencepost.example/?range=7d&job={UUID(int=1)}", "job_id", str(UUID(int=1))),
        ("Prompt contains", "two\nlines\n", "q", "two\nlines"),
        ("Prompt contains", " spaces stay ", "q", " spaces stay "),
        ("Reason contains", "a rule\r\n", "reason_contains", "a rule"),
    ],
)
def test_what_is_pasted_is_found(
    open_page: OpenPage, connection: psycopg.Connection, label: str, pasted: str, name: str, value: str
) -> None:
    """Ids are found however they are pasted, and line breaks within a text are part of what is looked for."""
    for number in (1, 2):
        insert_job(connection, job_id=UUID(int=number), prompt="two\nlines,  spaces stay ", reason="a rule")

    app = fill(open_page(), label, pasted)

    assert address(app) == {**APRIL, name: value}
    assert not app.error


@pytest.mark.parametrize(
    ("label", "typed", "said"),
    [
        (
            "Prompt contains",
            "x" * 1_501,
            "“Prompt contains” holds 1,501 characters, and 500 can be searched for: shorten it. Your text is still "
            "in the box.",
        ),
        (
            "Reason contains",
            "x" * 501,
            "“Reason contains” holds 501 characters, and 500 can be searched for: shorten it. Your text is still "
            "in the box.",
        ),
        (
            "Job ids",
            "no id",
            "“no” is not a job id: paste ids like 0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d, or how they begin, with "
            "spaces, commas or line breaks between them.",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_said_and_stays(open_page: OpenPage, label: str, typed: str, said: str) -> None:
    """The filter stays what it was, the sentence says what is wrong, and nothing that was typed is lost."""
    app = fill(open_page(decision="reject"), label, typed)

    assert address(app) == {**APRIL, "decision": "reject"}
    assert [error.value for error in app.error] == [said]
    assert [area.value for area in app.text_area if area.label == label] == [typed]


def test_a_bound_that_was_not_touched_stays_exact(open_page: OpenPage) -> None:
    """The form shows minutes, and never widens a bound to one of them when the other bound is changed."""
    app = open_page(**{"from": "2026-04-01T08:30:15.000001Z", "to": "2026-04-02T09:30:45Z"})
    app.time_input[1].set_value(time(10))

    app.button(key="FormSubmitter:filter-Apply").click().run()

    assert address(app) == {"from": "2026-04-01T08:30:15.000001Z", "to": "2026-04-02T10:00:00Z"}


def test_times_of_day_narrow_the_days(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A time of the first and of the last day become the bounds; without them days are whole."""
    app = open_page()
    first, last = app.time_input
    first.set_value(time(8, 30))
    last.set_value(time(17))

    app.button(key="FormSubmitter:filter-Apply").click().run()

    assert address(app)["from"] == "2026-04-01T08:30:00Z"
    assert address(app)["to"] == "2026-04-30T17:00:00Z"


@pytest.mark.parametrize(("period", "since"), [("24h", timedelta(minutes=5)), ("7d", timedelta(days=1))])
def test_a_relative_range_stays_relative_however_long_the_page_was_open(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, period: str, since: timedelta
) -> None:
    """Days and times that nobody touched are no choice, also where the form was filled yesterday."""
    app = open_page()
    app.query_params.clear()
    app.query_params["range"] = period
    app.run()
    monkeypatch.setattr(
        "dashboard.address.view.preset_range", lambda name, zone, now: preset_range(name, zone, now + since)
    )

    app.run()
    next(box for box in app.multiselect if box.label == "Status").set_value(["failed"])
    app.button(key="FormSubmitter:filter-Apply").click().run()

    assert address(app) == {"range": period, "status": "failed"}


@pytest.mark.parametrize(
    ("preference", "hidden"),
    [(None, {"plain": False, "flagged": True, "underage": True, "rejected": True, "no log": True}),
     ("hide-all", dict.fromkeys(("plain", "flagged", "underage", "rejected", "no log"), True)),
     ("show", {"plain": False, "flagged": False, "underage": True, "rejected": False, "no log": False})],
)  # fmt: skip
def test_hidden_means_not_sent(
    open_page: OpenPage, connection: psycopg.Connection, preference: str | None, hidden: dict[str, bool]
) -> None:
    """Under each default the texts that are hidden are nowhere in what is sent, in the list and beside it."""
    ids: dict[str, UUID] = {}
    for kind in hidden:
        ids[kind] = insert_job(
            connection, prompt=f"prompt {kind}", reason=f"reason {kind}", is_prohibited=kind == "rejected"
        )
        if kind != "no log":
            insert_log(connection, ids[kind], category_nsfw=kind == "flagged", category_underage=kind == "underage")
    if preference is not None:
        connection.execute(
            "INSERT INTO people (person, address, preferences) VALUES ('user:demo', 'demo', %s)",
            (psycopg.types.json.Jsonb({"hiding": preference}),),
        )

    for kind, job_id in ids.items():
        everything = sent(open_page(job=str(job_id)))
        for other, is_hidden in hidden.items():
            assert (f"prompt {other}" in everything) is not is_hidden, (kind, other)
            assert (f"reason {other}" in everything) is not is_hidden, (kind, other)


@pytest.mark.parametrize("preference", ["hide-all", "show"])
def test_the_name_of_a_rule_is_shown_without_its_prompt(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases, preference: str
) -> None:
    """In the list and of an open job; marked as underage it hides the prompt, and no look at a text is recorded."""
    job_id = insert_job(connection, prompt="a secret prompt", reason="a rule", is_prohibited=True)
    for number in range(4):
        insert_job(connection, prompt=f"secret {number}", reason="a rule", is_prohibited=True)
    insert_job(connection, prompt=None, reason="quotes a secret", is_prohibited=True)
    connection.commit()
    keep_facts(databases.ours)
    mark_underage(databases, DEMO_PERSON, "a rule", is_underage=True)
    connection.execute(
        "INSERT INTO people (person, address, preferences) VALUES ('user:demo', 'demo', %s)",
        (psycopg.types.json.Jsonb({"hiding": preference}),),
    )
    connection.commit()

    app = open_page(job=str(job_id))

    why = "you hide all prompts" if preference == "hide-all" else "reason marked underage"
    assert f"The prompt is hidden: {why}." in [text.value for text in app.text]
    assert list(app.dataframe[0].value["reason"]).count("a rule") == 5
    assert sent(app).count("a rule") > 5
    assert "a secret prompt" not in sent(app)
    assert ("quotes a secret" in sent(app)) is (preference == "show")
    looks = connection.execute("SELECT event, details->>'text' FROM audit_events WHERE details ? 'text'").fetchall()
    assert dict(looks) == {"jobs-listed": str(preference == "show").lower(), "job-opened": "false"}


def test_a_text_that_nobody_sees_is_told(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """What is nothing but spaces and line breaks is no empty frame; invisible characters can be marked in theirs."""
    blank = insert_job(connection, prompt=" \n\t ", reason="rule 7", is_prohibited=True)
    invisible = insert_job(connection, prompt=" \u2003", reason="rule 7", is_prohibited=True)

    pages = [open_page(job=str(job)) for job in (blank, invisible)]
    for app in pages:
        next(item for item in app.button if str(item.key).startswith("reveal_")).click().run()

    said = "Prompt: nothing but spaces and line breaks."
    assert [said in [text.value for text in app.text] for app in pages] == [True, False]
    assert ":material/warning: 1 invisible character." in [caption.value for caption in pages[1].caption]


def test_a_reveal_is_for_one_job_and_in_the_audit(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Revealed is the open job alone, after the audit has it; opened again it is hidden again."""
    job_id = insert_job(connection, prompt="a harmless secret", is_prohibited=True)
    other = insert_job(connection, prompt="another secret", is_prohibited=True)

    app = open_page(job=str(job_id))
    before = sent(app)
    next(item for item in app.button if str(item.key).startswith("reveal_")).click().run()
    after = sent(app)
    app.query_params["job"] = str(other)
    app.run()
    next_one = sent(app)

    assert "a harmless secret" not in before
    assert "a harmless secret" in after
    assert "secret" not in next_one
    assert [row for row in events(connection) if row[0] != Event.JOBS_LISTED] == [
        ("job-opened", str(job_id), {"text": False}),
        ("prompt-revealed", str(job_id), {}),
        ("job-opened", str(other), {"text": False}),
    ]


def test_the_switch_for_the_page_ends_with_the_page(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Show prompts shows all of this page; on the next one they are hidden again."""
    for number in range(30):
        insert_job(
            connection, prompt=f"secret {number}", is_prohibited=True, created_at=NOON + timedelta(seconds=number)
        )

    app = open_page(size="25")
    app.toggle(key="show_prompts").set_value(True).run()
    on_this = sent(app)
    app.button(key="older").click().run()

    assert "secret 29" in on_this
    assert "secret" not in sent(app)
    assert [row[2] for row in events(connection)] == [
        {"shown": 25, "text": False},
        {"shown": 25, "text": True},
        {"shown": 5, "text": False, "after": address(app)["after"]},
    ]


def test_no_row_in_the_audit_no_look(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases, script: str
) -> None:
    """Where the audit cannot be written, neither the list nor the job is sent."""
    insert_log(connection, insert_job(connection, prompt="a plain prompt", type="sought"))
    connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
    )
    connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse()")

    app = AppTest.from_file(script, default_timeout=60)
    for name, value in APRIL.items():
        app.query_params[name] = value
    app.run()

    assert len(app.exception) == 1
    assert len(app.dataframe) == 0
    assert "a plain prompt" not in sent(app)


def test_a_long_prompt_is_sent_in_two_steps(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """At first 20,000 characters of two million, then all of them on demand."""
    job_id = insert_job(connection, prompt="🦊" * 20_000 + "Z" * 2_000_000)
    insert_log(connection, job_id)

    app = open_page(job=str(job_id))
    first = sent(app)
    app.button(key="show_all").click().run()

    assert "ZZ" not in first
    assert app.session_state["all_of"] == job_id
    assert "Show all 2,020,000 characters" not in rendered(app)
    assert "Z" * 2_000_000 in sent(app)


def test_hostile_texts_are_never_markdown(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Whatever a job or an address holds is shown as text, or escaped in a label."""
    job_id = insert_job(connection, prompt=HOSTILE, reason=HOSTILE, type=HOSTILE, client_id=HOSTILE)
    insert_log(connection, job_id)

    app = open_page(job=str(job_id), client_id=HOSTILE, type=HOSTILE, q="<img")

    unescaped = re.sub(r"\\[!-/:-@\[-`{-~]", "", rendered(app))
    for markup in ("<img", "**bold**", "$", ":material/home:", ":red[x]"):
        assert markup not in unescaped
    assert ":material/warning: 4 invisible characters, 2 of which change the writing direction." in [
        caption.value for caption in app.caption
    ]
    assert len(app.dataframe[0].value) == 1


def test_every_log_is_shown_with_what_changed(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Logs stand in their order, each with its change against the one before."""
    job_id = insert_job(connection)
    insert_log(connection, job_id, created_at=NOON + timedelta(seconds=2))
    insert_log(connection, job_id, created_at=NOON + timedelta(seconds=9), category_nsfw=True, category_underage=None)
    insert_log(connection, job_id, created_at=NOON + timedelta(seconds=70), category_nsfw=True, category_underage=None)

    app = open_page(job=str(job_id))

    logs = app.dataframe[1].value
    assert list(logs["after"]) == ["2.0 s after the job", "9.0 s after the job", "1 min 10 s after the job"]
    assert list(logs["changed"]) == ["first log", "Underage: No → Not evaluated; NSFW: No → Yes", "nothing"]


def test_steps_cross_pages_and_stop_at_the_ends(
    open_page: OpenPage, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Next and Previous walk all jobs of the filter one by one, over the bounds of pages, and back."""
    # Pages of two have more bounds than those of 25 among fewer jobs.
    monkeypatch.setattr("dashboard.address.view.PAGE_SIZES", (2, 50))
    ids = [
        str(insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number)))
        for number in range(5)
    ]
    insert_job(connection, is_prohibited=False)

    app = open_page(size="2", decision="reject")
    listed = len(app.dataframe[0].value)
    walked = []
    for _ in ids:
        app.button(key="step_older").click().run()
        walked.append(address(app)["job"])
    app.button(key="step_older").click().run()
    at_the_end = address(app)["job"]
    back = [at_the_end]
    for _ in ids[1:]:
        app.button(key="step_newer").click().run()
        back.append(address(app)["job"])
    app.button(key="step_newer").click().run()

    assert listed == 2
    assert walked == ids
    assert at_the_end == ids[-1]
    assert [toast.value for toast in app.toast] == ["This is the first job of this filter."]
    assert back == ids[::-1]
    assert "after" not in app.query_params
    app.button(key="close_job").click().run()
    assert "job" not in app.query_params


def test_a_step_reads_the_job_and_neither_list_nor_totals(
    open_page: OpenPage, connection: psycopg.Connection, databases: Databases
) -> None:
    """From job to job what stands around it is kept; Refresh reads it again."""
    for number in range(3):
        insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number))
    statements: list[str] = []
    event.listen(databases.source.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    def of_the_range() -> int:
        # What the filter offers is counted anew less often.
        asked = (statement for statement in statements if "changed" not in statement)
        return sum("jobs.created_at >=" in statement for statement in asked)

    app = open_page(decision="reject")
    opened = of_the_range()
    statements.clear()
    for _ in range(2):
        app.button(key="step_older").click().run()
    app.button(key="close_job").click().run()
    stepped = of_the_range()
    insert_job(connection, is_prohibited=True)
    app.run()

    assert opened > 0
    assert stepped == 0
    assert of_the_range() == opened
    assert len(app.dataframe[0].value) == 4


def test_steps_begin_at_a_job_that_is_not_on_the_page(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """A link to a job, without its place in the list, still has neighbours."""
    ids = [
        str(insert_job(connection, created_at=NOON - timedelta(seconds=number), is_prohibited=True))
        for number in range(60)
    ]

    app = open_page(size="25", job=ids[40])
    app.button(key="step_older").click().run()
    older = address(app)["job"]
    app = open_page(size="25", job=ids[40])
    app.button(key="step_newer").click().run()

    assert older == ids[41]
    assert address(app)["job"] == ids[39]
    assert ids[39] == app.dataframe[0].value["id"].iloc[0]


@pytest.mark.parametrize("job", ["00000000-0000-4000-8000-000000000000", "not-a-job"])
def test_a_job_that_is_not_there_gets_a_sentence(open_page: OpenPage, job: str) -> None:
    """An address of no job says so, and the list stays."""
    app = open_page(job=job)

    assert "There is no job with this id" in rendered(app) or "job is not the id of a job" in shown(app)


def open_popover(app: AppTest, key: str) -> AppTest:
    """Open what is drawn only then, as a click does that a test of elements cannot make."""
    app.session_state[key] = True
    return app.run()


def test_the_count_is_made_exact_on_demand(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Beyond 10,000 the button says so, until somebody wants to know."""
    connection.execute(
        """
        INSERT INTO jobs (job_id, client_id, type, status, created_at)
        SELECT gen_random_uuid(), 'acme', 'prompt', 'queued', %s FROM generate_series(1, 10007)
        """,
        (NOON,),
    )

    app = open_page()
    before = [link.proto.label for link in app.get("link_button")]
    open_popover(app, "more_downloads")
    app.button(key="count_exactly").click().run()
    after = [link.proto.label for link in app.get("link_button")]

    assert before == ["Download CSV · 10,000+ rows"]
    assert after[0] == "Download CSV · 10,007 rows"


@pytest.mark.parametrize(
    ("status", "said"),
    [("running", "Download running"), ("interrupted", "Download interrupted"), ("failed", "Download failed")],
)
def test_a_download_that_did_not_end_well_is_said_in_its_corner(
    open_page: OpenPage, connection: psycopg.Connection, status: str, said: str
) -> None:
    """What runs is looked at again; what was cut off is no export, and the corner says so."""
    _insert_export(connection, status)

    app = open_page()
    before = sent(app)
    app.session_state["awaited_since"] = datetime.now(UTC) - SETTLED
    app.session_state["awaiting"] = True
    app.run()

    assert said not in before
    assert said in sent(app)
    assert app.session_state["awaiting"] is (status == "running")


def test_the_end_of_the_look_for_a_download_closes_no_dialog(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Ten seconds after a download the whole page would run, and what somebody writes in a dialog would be gone."""
    _insert_export(connection, "interrupted")

    app = open_page()
    app.session_state["awaited_since"] = datetime.now(UTC) - SETTLED
    app.session_state["awaiting"] = True
    app.button(key="save_queue").click().run()

    assert app.text_input(key="new_queue_name")
    assert app.session_state["awaiting"]


def test_an_earlier_download_does_not_end_the_look_for_the_one_just_asked_for(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """Somebody downloads in two windows, or twice: the corner comes to show the newest, as long as it runs."""
    _insert_export(connection, "interrupted")
    app = open_page()
    app.session_state["awaited_since"] = datetime.now(UTC)
    app.session_state["awaiting"] = True
    app.run()
    still_awaited = app.session_state["awaiting"]

    _insert_export(connection, "running")
    app.run()
    running = sent(app)
    # Another click, of which nothing is known yet.
    connection.execute("UPDATE exports SET status = 'failed', finished_at = now() WHERE status = 'running'")
    app.session_state["receipt_before"] = app.session_state["receipt_shown"]
    app.run()

    assert still_awaited
    assert "Download running" in running
    assert "Download failed" not in sent(app)


def _insert_export(connection: psycopg.Connection, status: str) -> None:
    """Insert the receipt of a download that the person of demo mode asked for just now."""
    connection.execute(
        """
        INSERT INTO exports (export_id, requested_by, via, filter, finished_at, status)
        VALUES (gen_random_uuid(), 'user:demo', 'dashboard', %s, CASE WHEN %s <> 'running' THEN now() END, %s)
        """,
        (psycopg.types.json.Jsonb(APRIL), status, status),
    )


def test_the_default_is_kept_and_counted_looks_are_ones_own(
    open_page: OpenPage, connection: psycopg.Connection
) -> None:
    """The choice is kept for the person; the page says how much they opened and revealed today."""
    job_id = insert_job(connection, is_prohibited=True, prompt="hidden")

    app = open_page(job=str(job_id))
    next(item for item in app.button if str(item.key).startswith("reveal_")).click().run()
    app.button(key="close_job").click().run()
    closed = len(app.radio)
    open_popover(app, "hidden_text")
    app.radio[0].set_value("hide-all").run()

    assert "Today you have opened 1 and revealed 1." in rendered(app)
    assert connection.execute("SELECT preferences FROM people").fetchall() == [({"hiding": "hide-all"},)]
    assert closed == 0
    assert open_popover(open_page(), "hidden_text").radio[0].value == "hide-all"


def test_the_same_prompt_is_said(open_page: OpenPage, connection: psycopg.Connection) -> None:
    """Beside the job stands how often its prompt came, from whom, first and last."""
    for client in ("acme", "beta", "acme"):
        job_id = insert_job(connection, client_id=client, prompt="the same")

    app = open_page(job=str(job_id))

    assert "3 jobs, from Wed 15 Apr 2026, 12:00:00 (UTC) to Wed 15 Apr 2026, 12:00:00 (UTC)." in shown(app)
    assert "Clients: “acme” 2, “beta” 1." in shown(app)


def test_the_command_quotes_whatever_is_sought() -> None:
    """The command holds the whole filter, and nothing in it ends the quotes."""
    command = curl_command("https://fencepost.example.com", april(q='it\'s $HOME `id` "x"', decision="reject"))

    assert command == (
        'curl --fail -OJ -H "Authorization: Bearer $FENCEPOST_KEY" \\\n'
        "  'https://fencepost.example.com/api/v1/jobs/export?from=2026-04-01T00%3A00%3A00Z&to=2026-05-01T00%3A00%3A00Z"
        "&decision=reject&q=it%27s+%24HOME+%60id%60+%22x%22'"
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"from": "2026-05-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, "from is after to"),
        ({"from": "2025-01-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}, "more than 366 days apart"),
        ({"from": "2026-04-01T00:00:00Z"}, "to is missing"),
        ({"range": "fortnight"}, "range does not know this period"),
        ({"range": "7d", "<img src=x>": "1"}, "is not a parameter"),
        ({"range": "7d", "tz": "Mars/Olympus"}, "tz is not a time zone"),
        ({"range": "7d", "after": "x"}, "after is not a place in the list"),
    ],
)
def test_a_wrong_address_shows_a_sentence_and_the_default_view(
    open_page: OpenPage, params: dict[str, str], sentence: str
) -> None:
    """What is wrong with an address is said in a sentence, and the page works."""
    app = open_page(**params)

    said = [text for _, text in list_said(app)]
    assert [error.value for error in app.error] == ["This address is not valid, so you are seeing the default view."]
    assert [text for text in said if sentence in text]
    assert [text for text in said if text.startswith("Download CSV")]


def test_a_search_says_how_far_it_has_come_and_goes_on(
    connection: psycopg.Connection, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes long shows what it has found so far, until when it has looked, and goes on from there when asked."""
    for number in range(22):
        prompt = "a lighthouse" if number in (5, 21) else "a prompt"
        insert_job(connection, created_at=NOON + timedelta(minutes=number), prompt=prompt, is_prohibited=True)
    for name in ("FIRST_JOBS", "MOST_JOBS"):
        monkeypatch.setattr(search, name, 5)
    for function in (search.find_rows, search.count_rows):
        monkeypatch.setattr(function, "__kwdefaults__", {"seconds": 0})

    app = open_page(q="lighthouse")
    said, found = [], []
    for _ in range(3):
        said += [element.value for element in app.caption if element.value.startswith("Searched back")]
        found.append(sum(len(element.value) for element in app.dataframe))
        app.button(key="older").click().run()

    assert said == [
        "Searched back to 15 April 2026, 12:16: more may follow. Older goes on from there.",
        "Searched back to 15 April 2026, 12:10: nothing was found yet. Older goes on from there.",
        "Searched back to 15 April 2026, 12:04: more may follow. Older goes on from there.",
    ]
    assert found == [1, 0, 1]
    assert [element.value for element in app.info] == ["No older jobs match: go back to the newest."]
