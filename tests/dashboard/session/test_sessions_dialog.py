"""Words for sessions."""

import pytest

from dashboard.session.sessions_dialog import name_browser

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
NAMES = {
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/150.0.0.0 Safari/537.36": "Chrome on Linux",
    f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/150.0.0.0 Safari/537.36 Edg/150.0": "Edge on Windows",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/19.0 Safari/605.1.15": "Safari on macOS",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} Version/19.0 Safari/604.1": "Safari on iOS",
    f"Mozilla/5.0 (Linux; Android 16) {WEBKIT} Chrome/150.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    "Mozilla/5.0 (Windows NT 10.0; rv:150.0) Gecko/20100101 Firefox/150.0": "Firefox on Windows",
    "**bold** [link](https://example.org)": "Another program",
    "": "Another program",
}


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_a_browser_is_named_in_two_words(text: str, name: str) -> None:
    """By what it calls itself, which may be anything and is never shown."""
    assert name_browser(text) == name
