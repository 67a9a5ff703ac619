"""Whose connection it is, as the cookies say: known before anything is done for it."""

import hashlib

from starlette.requests import HTTPConnection
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.auth.tickets import BROWSER_COOKIE


def name_browser(connection: HTTPConnection) -> str | None:
    """Name a browser by the cookie that a page has brought it: in demo mode there is no other sign of a person."""
    return connection.cookies.get(BROWSER_COOKIE)


def name_sign_in(connection: HTTPConnection) -> str | None:
    """Name a sign-in by its cookie, or return None where we have signed none.

    What its owner may do is looked up at each step of a page; this tells only who is no stranger.
    """
    cookie = connection.cookies.get(USER_COOKIE_NAME, "").encode("latin-1", "replace")
    if not cookie or decode_signed_value(get_cookie_secret(), USER_COOKIE_NAME, cookie) is None:
        return None
    return hashlib.sha256(cookie).hexdigest()
