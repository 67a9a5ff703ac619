"""Pages of their own, which need nothing else and run nothing, such as a refusal in plain words."""

import hashlib
from base64 import b64encode
from html import escape

from starlette.responses import HTMLResponse

from api.errors import PROTECTED, ApiError

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Fencepost</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

_STYLE = "body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem }"

_POLICY = "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page(
    status: int,
    title: str,
    sentence: str,
    headers: dict[str, str] | None = None,
    link: tuple[str, str] | None = None,
) -> HTMLResponse:
    """Make a page of a sentence. `link`: an address on this server, and its words."""
    way_on = "" if link is None else f'\n<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>'
    return answer(status, title, f"<p>{escape(sentence)}</p>{way_on}", headers=headers)


def error_page(error: ApiError) -> HTMLResponse:
    """Say an error of the API to a person."""
    titles = {400: "This link is not valid", 404: "There is nothing here", 405: "This is a link to open"}
    titles |= {403: "This download is not yours", 429: "Too much at once", 503: "Not possible at the moment"}
    return page(error.status, titles.get(error.status, "Something went wrong"), error.message, error.headers)


def answer(
    status: int, title: str, body: str, *, style: str = _STYLE, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """Answer with a page of this body, which is HTML. It may have its style, and nothing else."""
    html = _PAGE.format(title=escape(title), style=style, body=body)
    allowed = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    protected = PROTECTED | {"Content-Security-Policy": _POLICY.format(allowed), "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, status, protected | (headers or {}))
