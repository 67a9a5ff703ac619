"""What a browser is told that it must not do with the pages, whatever stands in a prompt."""

import base64
import hashlib
import re
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

DASHBOARD = Path(__file__).parent.parent

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)

# The styles that the installed Streamlit writes into its page: an empty one, whose rules its scripts add singly, and
# two of React Aria, which it contains. `tests/browser/conftest.py` fails where there are others.
STREAMLITS_STYLES = (
    "",
    "@layer {\n  [data-react-aria-pressable] {\n    touch-action: pan-x pan-y pinch-zoom;\n  }\n}",
    "@layer {\n  * {\n    overscroll-behavior: contain;\n  }\n}",
)


def _policy() -> str:
    """Write the Content-Security-Policy; scripts and styles within the page are allowed by their hashes.

    `blob:` is for the scripts of our components, which Streamlit loads from such addresses where they are not files of
    an installed package that declares them. One document holds all pages, so no page can do without.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = map(_hash, _INLINE_SCRIPT.findall(page))
    # Streamlit strips those of our components.
    own = (file.read_text(encoding="utf-8").strip() for file in sorted(DASHBOARD.rglob("*.css")))
    styles = map(_hash, (*STREAMLITS_STYLES, *own))
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self' blob:", *scripts]),
            " ".join(["style-src 'self'", *styles]),
            "img-src 'self' data:",
            "font-src 'self' data:",
            "connect-src 'self'",
            # The check of a file, which a component of ours starts.
            "worker-src blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": _policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

# A year, as browsers ask for it (RFC 6797).
STRICT_TRANSPORT = "max-age=31536000"


def with_security_headers(scope: Scope, send: Send) -> Send:
    """Add the headers to a response that lacks them; behind TLS let every cookie stay there."""
    is_secure = scope["scheme"] == "https"

    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if is_secure:
                headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
                message["headers"] = [_secured(name, value) for name, value in message["headers"]]
        await send(message)

    return send_protected


def _secured(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() == b"set-cookie" and b"; secure" not in value.lower():
        return name, value + b"; Secure"
    return name, value
