"""What `[auth]` may say, and what Streamlit is given of it."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret

from core.errors import InvalidSetting
from dashboard.server.sign_in_settings import Provider, SignIn, give_streamlit, read_sign_in

LONG, FORMER = "a long secret of the tests, the newest", "a long secret of the tests, a former one"
COMPANY = {"client_id": "us", "client_secret": "not a secret", "server_metadata_url": "https://id.example/metadata"}

Configure = Callable[[object], None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Give Streamlit a section `[auth]`, for one test."""
    for name in ("_secrets", "_programmatic_secrets"):
        monkeypatch.setattr(secrets_singleton, name, None)

    def with_secret(cookie_secret: object) -> None:
        redirect = {"redirect_uri": "https://fencepost.example/oauth2callback", "company": COMPANY}
        section: dict[str, Any] = redirect | {"cookie_secret": cookie_secret}
        secrets_singleton.merge_programmatic_secrets({"auth": section})

    return with_secret


@pytest.mark.parametrize(("given", "secrets"), [(LONG, (LONG,)), ([LONG], (LONG,)), ([LONG, FORMER], (LONG, FORMER))])
def test_the_secret_is_one_or_a_list(configure: Configure, given: object, secrets: tuple[str, ...]) -> None:
    """With a list it can be rotated: the newest signs, the others stay good."""
    configure(given)

    provider = Provider("company", "us", "https://id.example/metadata")
    assert read_sign_in() == SignIn((provider,), "fencepost.example", secrets)


@pytest.mark.parametrize("given", ["", "short", [], [LONG, "short"], [LONG, ""], 7, [7]])
def test_a_weak_secret_is_refused(configure: Configure, given: object) -> None:
    """Each of a list is long enough; the sentence says how to make one, and repeats none."""
    configure(given)

    with pytest.raises(InvalidSetting, match="openssl rand -hex 32") as raised:
        read_sign_in()
    assert LONG not in str(raised.value)


def test_streamlit_gets_a_secret_of_its_own(configure: Configure) -> None:
    """What it signs with is not the secret of the file; the rest of the section stays."""
    configure([LONG, FORMER])

    give_streamlit("derived")

    assert get_cookie_secret() == "derived"
    assert secrets_singleton["auth"]["company"].to_dict() == COMPANY
