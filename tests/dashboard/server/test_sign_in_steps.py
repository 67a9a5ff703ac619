"""The way to the provider and back, as one sees it from within the server."""

from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Scope

from dashboard.server.sign_in_steps import PAGE_COOKIE, with_fresh_sign_in, with_return

SERVER = "https://fencepost.example.com"


def scope_of(**headers: str) -> Scope:
    return {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}


def answer_login(location: str, hours: float, *, again: bool = False, **headers: Any) -> Headers:
    """Return the headers of an answer that leads to a place."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    start = {"type": "http.response.start", "status": 302, "headers": [(b"location", location.encode())]}
    anyio.run(with_fresh_sign_in(scope_of(**headers), send, hours, again=again), start)
    return Headers(raw=sent[0]["headers"])


def return_with(page: str) -> str:
    """Return where somebody is led whose browser has kept a page."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    start = {"type": "http.response.start", "status": 302, "headers": [(b"location", b"/")]}
    anyio.run(with_return(scope_of(cookie=f"{PAGE_COOKIE}={page}"), send), start)
    return Headers(raw=sent[0]["headers"])["location"]


@pytest.mark.parametrize(
    ("configured", "asked"), [("", "3600"), ("&max_age=43200", "3600"), ("&max_age=600", "600"), ("&max_age=x", "3600")]
)
def test_the_provider_is_asked_for_a_sign_in_that_is_fresh_enough(configured: str, asked: str) -> None:
    """FENCEPOST_SESSION_HOURS is the longest age, whatever `secrets.toml` says; nothing else is changed."""
    location = f"https://id.example.com/authorize?state=a%20b&prompt=select_account{configured}"

    answer = urlsplit(answer_login(location, 1)["location"])

    assert answer._replace(query="").geturl() == "https://id.example.com/authorize"
    assert parse_qs(answer.query) == {"state": ["a b"], "prompt": ["select_account"], "max_age": [asked]}


def test_whoever_signs_in_again_is_asked_in_any_case() -> None:
    """Some providers do not know of ages."""
    answer = urlsplit(answer_login("https://id.example.com/authorize?prompt=none", 1, again=True)["location"])

    assert parse_qs(answer.query) == {"prompt": ["login"], "max_age": ["3600"]}


def test_an_answer_that_leads_to_no_provider_stays_as_it_is() -> None:
    """Streamlit leads back to the start page where it does not know what was asked."""
    answer = answer_login("/", 1)

    assert answer["location"] == "/"
    assert "set-cookie" not in answer


PAGES = {
    "/jobs?decision=reject&q=%22a%20b%22": True,
    "/": True,
    "/reviews?range=7d&job=00000000-0000-4000-8000-000000000001": True,
    "//evil.example.org/jobs": False,
    "/\\evil.example.org": False,
    "/jobs/../auth/logout": False,
    "/jobs?" + "x" * 4_000: False,
}


@pytest.mark.parametrize(("page", "kept"), PAGES.items())
def test_one_comes_back_to_a_page_of_ours_alone(page: str, kept: bool) -> None:
    """The page that led to the sign-in is kept; what is none, or what a cookie could not hold, is the start page."""
    own: dict[str, Any] = {"sec-fetch-site": "same-origin"}
    answer = answer_login("https://id.example.com/", 1, referer=SERVER + page, **own)
    cookie = SimpleCookie(answer["set-cookie"])[PAGE_COOKIE]

    assert return_with(cookie.value) == (page if kept else "/")
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/oauth2callback", True, "Lax")
    assert (cookie["max-age"] == "0") is not kept


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"host": "other.example.com"}, {}])
def test_a_page_of_another_server_is_not_come_back_to(headers: dict[str, Any]) -> None:
    """Somebody else's link says nothing about where one wants to be."""
    answer = answer_login("https://id.example.com/", 1, referer=f"{SERVER}/keys", **headers)

    assert SimpleCookie(answer["set-cookie"])[PAGE_COOKIE].value == ""


@pytest.mark.parametrize(
    "page", ["https%3A%2F%2Fevil.example.org", "%2F%2Fevil.example.org", "%2Fjobs%0D%0Ax%3A%20y", ""]
)
def test_a_cookie_that_was_tampered_with_leads_to_the_start_page(page: str) -> None:
    """Whoever sets a cookie for this host cannot send somebody elsewhere."""
    assert return_with(page) == "/"
