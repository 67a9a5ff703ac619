"""Small pages in plain words, for a person who followed a link and cannot have what it promised."""

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
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{sentence}</p>
</body>
</html>
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page(status: int, title: str, sentence: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    """Make a page that needs nothing else and runs nothing."""
    html = _PAGE.format(title=escape(title), sentence=escape(sentence))
    protected = PROTECTED | {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, status, protected | (headers or {}))


def error_page(error: ApiError) -> HTMLResponse:
    """Say an error of the API to a person."""
    titles = {400: "This link is not valid", 404: "There is nothing here", 405: "This is a link to open"}
    titles |= {403: "This download is not yours", 429: "Too much at once", 503: "Not possible at the moment"}
    return page(error.status, titles.get(error.status, "Something went wrong"), error.message, error.headers)
