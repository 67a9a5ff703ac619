"""The page of webhooks below the browser: made, paused, sent again and removed, each for admins alone."""

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from core.webhooks.endpoints import create_endpoint, list_endpoints
from core.webhooks.events import WebhookEvent
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.app import CLIENTS, choose_client
from tests.support.rows import insert_job

PAGE = str(ROOT / "dashboard" / "webhooks" / "page.py")
URL = "https://127.0.0.1/hooks"
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def page(databases: Databases, settings: Settings) -> AppTest:
    """The page as the demo person sees it."""
    settings = settings.model_copy(update={"fencepost_demo": True, "fencepost_webhook_networks": LOOPBACK})
    provide(Resources(databases, settings, TicketOffice("a secret of the tests")))
    return AppTest.from_file(PAGE, default_timeout=60)


def listen(databases: Databases, url: str = URL) -> str:
    return create_endpoint(databases, COMMAND_LINE, url=url, events=WebhookEvent, client_id=None, networks=[LOOPBACK])


def add_messages(connection: psycopg.Connection) -> None:
    """Put out two messages, one of which was given up."""
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, message_id, event, body, attempts, last_status, last_error,"
        " given_up_at) SELECT endpoint_id, 'msg_' || n, 'review.overturned', 'x', n, 503, 'it refused the message',"
        " CASE WHEN n = 2 THEN now() END FROM webhook_endpoints, generate_series(1, 2) AS n"
    )


def test_a_webhook_is_added_and_its_secret_shown_once(page: AppTest, databases: Databases) -> None:
    """What is wrong is said and stays; then the secret is shown, which neither the session nor the list keeps."""
    page.run()
    page.button(key="open_add").click().run()
    add(page, "http://example.com/")
    assert any("must begin with https://" in text.value for text in page.text)
    add(page, URL)

    (shown,) = [code.value for code in page.code]
    assert shown.startswith("whsec_")
    page.run()
    assert [row.url for row in list_endpoints(databases.ours)] == [URL]
    assert page.dataframe[0].value["State"].tolist() == ["✓ Active"]
    assert shown not in str(page)
    assert shown not in str(page.session_state)


def add(page: AppTest, url: str) -> None:
    """Press the button of the dialog; AppTest runs the whole script, which shows one only where it is opened again."""
    page.button(key="open_add").click()
    page.text_input(key="webhook_url").input(url)
    page.radio(key="webhook_reach").set_value("All clients")
    page.button(key="webhook_add").click().run()


def test_messages_are_listed_and_sent_again(
    page: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """Each message stands there with state, attempts and last answer; one, or all that were given up, go again."""
    secret = listen(databases)
    add_messages(connection)

    page.run()
    assert page.dataframe[0].value["Added by"].tolist() == ["command line"]
    table = page.dataframe[1].value
    assert table["State"].tolist() == ["✕ Given up", "↻ Waiting"]
    assert table["Last answer"].tolist() == ["503: it refused the message"] * 2
    assert secret not in str(page)
    page.button(key="send_all_again").click().run()

    assert not page.exception
    assert page.dataframe[1].value["State"].tolist() == ["↻ Waiting"] * 2
    assert page.dataframe[1].value["Attempts"].tolist() == ["0", "1"]
    assert connection.execute("SELECT event FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone() == (
        "webhook-sent-again",
    )


def test_a_webhook_is_paused_resumed_and_removed(page: AppTest, databases: Databases) -> None:
    """The button says what it does next; removing asks once more."""
    listen(databases)

    page.run()
    said = []
    for key in ("pause_webhook", "resume_webhook"):
        said.append(page.button(key=key).label)
        page.button(key=key).click().run()
        said.append(page.dataframe[0].value["State"].item())
    page.button(key="open_remove").click().run()
    assert page.text[0].value == f"“{URL}”"
    # AppTest runs the whole script, which shows a dialog only where it is opened again.
    page.button(key="open_remove").click()
    page.button(key="webhook_remove").click().run()
    page.run()

    assert said == ["Pause", "○ Paused", "Resume", "✓ Active"]
    assert [info.value for info in page.info] == ["There are no webhooks yet."]


def test_what_is_pressed_at_once_is_done_to_what_was_just_chosen(
    page: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """Another webhook and another message are chosen, and buttons pressed before the page was drawn for them."""
    listen(databases)
    listen(databases, f"{URL}/other")
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, message_id, event, body, given_up_at)"
        " SELECT endpoint_id, url, 'review.overturned', 'x', now() FROM webhook_endpoints"
    )

    page.run()
    page.selectbox(key="chosen_webhook").select_index(0)
    page.selectbox(key="chosen_delivery").select_index(0).run()
    page.selectbox(key="chosen_webhook").select_index(1)
    page.selectbox(key="chosen_delivery").select_index(1)
    page.button(key="pause_webhook").click()
    page.button(key="send_again").click().run()

    webhook, message = (page.selectbox(key=f"chosen_{one}").value for one in ("webhook", "delivery"))
    paused = connection.execute("SELECT endpoint_id FROM webhook_endpoints WHERE paused_at IS NOT NULL").fetchall()
    waiting = connection.execute("SELECT delivery_id FROM webhook_deliveries WHERE given_up_at IS NULL").fetchall()
    assert (paused, waiting) == ([(webhook,)], [(message,)])


@pytest.mark.parametrize(("client", "said"), CLIENTS)
def test_a_client_is_offered_and_one_without_jobs_is_told(
    page: AppTest, connection: psycopg.Connection, client: str, said: list[str]
) -> None:
    """A webhook of a client that was misspelt would hear of nothing, and nobody would notice."""
    insert_job(connection, client_id="acme")

    assert choose_client(page, "open_add", "webhook_client", client) == (["acme"], said)
