"""The keys page below the browser: what it shows of keys with hostile names, and to whom."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.auth.api_keys import list_keys, revoke_key
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.keys.dialogs import example
from dashboard.keys.table import to_frame
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.app import CLIENTS, choose_client
from tests.support.asgi import make_key
from tests.support.rows import insert_job

PAGE = str(ROOT / "dashboard" / "keys" / "page.py")

# Each would become something else than it is where a name were taken for markup.
HOSTILE = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Markdown": "**bold** [link](https://foreign.example) ![image](https://foreign.example/a.png)",
    "LaTeX": r"$\frac{1}{2}$ $$x$$",
    "directives": ":material/key: :red[red] :rainbow-background[x] :smile:",
    "template": "{0} %s ${HOME} {name}",
    "formula": "=1+1",
}


@pytest.fixture
def page(databases: Databases, settings: Settings) -> AppTest:
    """The page as the demo person sees it."""
    settings = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, settings, TicketOffice("a secret of the tests")))
    return AppTest.from_file(PAGE, default_timeout=60)


def key_id(key: str) -> str:
    return key.split("_")[1]


def markup(page: AppTest) -> str:
    """Everything that the page gives to be read as Markdown."""
    return "\n".join(element.value for element in (*page.markdown, *page.caption, *page.title))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_name_is_text(page: AppTest, databases: Databases, name: str) -> None:
    """A key's name and client are shown as they are: in cells, options and plain text, and never as Markdown."""
    key = make_key(databases, name, name=name)

    page.run()
    page.selectbox(key="chosen_key").select(key_id(key)).run()
    page.button(key="open_revoke").click().run()

    assert not page.exception
    assert page.selectbox(key="chosen_key").options == [f"fp_{key_id(key)}_… {name}"]
    assert page.dataframe[0].value.iloc[0][["name", "client"]].tolist() == [name, name]
    assert f"{name}\nfp_{key_id(key)}_…" in [text.value for text in page.text]
    assert name not in markup(page)


def test_a_name_that_turns_the_direction_stays_in_its_place(
    page: AppTest, databases: Databases, connection: psycopg.Connection
) -> None:
    """Such a name is not accepted any more; one that is stored already moves nothing that stands beside it."""
    key = make_key(databases)
    connection.execute("UPDATE api_keys SET name = %s", ["\u202egnitset \u2067x"])

    page.run()
    page.selectbox(key="chosen_key").select(key_id(key)).run()
    page.button(key="open_rotate").click().run()

    assert not page.exception
    shown = "\u2068\u202egnitset \u2067x\u2069"
    assert page.selectbox(key="chosen_key").options == [f"fp_{key_id(key)}_… {shown}"]
    assert f"{shown}\nfp_{key_id(key)}_…" in [text.value for text in page.text]


def test_no_secret_reaches_the_list(page: AppTest, databases: Databases) -> None:
    """The page and its session know the key's id, and nothing of its secret."""
    secret = make_key(databases).split("_")[2]

    page.run()

    assert secret not in str(page)
    assert secret not in str(page.session_state)
    assert secret not in page.dataframe[0].value.to_csv()


def test_the_list_says_everything_in_words(databases: Databases, connection: psycopg.Connection) -> None:
    """A cell for the state, the client, the scopes, the times in the reader's zone, and who made the key."""
    ends, networks = datetime(2999, 1, 1, tzinfo=UTC), ["192.0.2.0/24", "2001:db8::1"]
    key = make_key(databases, None, name="nightly", expires_at=ends, networks=networks)
    connection.execute("UPDATE api_keys SET last_used_at = '2026-07-01T22:30Z', created_at = '2026-01-01T00:00Z'")

    frame = to_frame(list_keys(databases.ours), ZoneInfo("Europe/Berlin"))

    assert frame.iloc[0].to_dict() == {
        "name": "nightly",
        "state": "✓ Valid",
        "client": "– All clients",
        "scopes": "job:read",
        "used": "2026-07-02 00:30",
        "expires": "2999-01-01 01:00",
        "networks": "192.0.2.0/24, 2001:db8::1/128",
        "key": f"fp_{key_id(key)}_…",
        "maker": "command line",
        "created": "2026-01-01 01:00",
    }


def test_keys_that_open_come_first(page: AppTest, databases: Databases) -> None:
    """A key that has ended stands below those that open, and there is nothing more to do to it."""
    first, second, ended = (make_key(databases, name=name) for name in ("first", "second", "ended"))
    revoke_key(databases, COMMAND_LINE, key_id(ended))

    page.run()

    assert page.dataframe[0].value["name"].tolist() == ["second", "first", "ended"]
    assert page.dataframe[0].value["state"].tolist() == ["✓ Valid", "✓ Valid", "✕ Revoked"]
    assert [option.split("_")[1] for option in page.selectbox(key="chosen_key").options] == [
        key_id(second),
        key_id(first),
    ]


def test_a_page_without_keys_says_so(page: AppTest) -> None:
    """There is a sentence and the button, and no empty table."""
    page.run()

    assert [info.value for info in page.info] == ["There are no keys yet."]
    assert not page.dataframe
    assert page.button(key="open_create").label == "Create key"


def test_the_command_cannot_be_turned_by_an_address() -> None:
    """The address of the page stands in the command as one word of the shell."""
    assert "'http://x;touch y/api/v1/jobs/export'" in example("http://x;touch y/keys?a=b")
    assert "curl -fG https://fence.example:8443/api/v1/jobs/export -H" in example("https://fence.example:8443/keys")


@pytest.mark.parametrize(("client", "said"), CLIENTS)
def test_a_client_is_offered_and_one_without_jobs_is_told(
    page: AppTest, connection: psycopg.Connection, client: str, said: list[str]
) -> None:
    """A key of a client that was misspelt would open nothing, and nobody would notice."""
    insert_job(connection, client_id="acme")

    assert choose_client(page, "open_create", "key_client", client) == (["acme"], said)
