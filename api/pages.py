"""Pages of their own, which need nothing else and run nothing: a refusal in plain words, and the report of a sample."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from sqlalchemy import Row
from starlette.responses import HTMLResponse

from api.errors import PROTECTED, ApiError
from core.instants import print_time
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import describe_filter
from core.quality.answers import Answer
from core.quality.figures import Figure
from core.quality.progress import Lapsed
from core.quality.sentences import (
    list_figures,
    list_flag_figures,
    name_group,
    say_how_drawn,
    say_how_judged,
    say_interval,
    say_share,
    say_versions,
)

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
<p>{sentence}</p>{link}
</body>
</html>
"""

_POLICY = "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page(
    status: int,
    title: str,
    sentence: str,
    headers: dict[str, str] | None = None,
    link: tuple[str, str] | None = None,
) -> HTMLResponse:
    """Make a page that needs nothing else and runs nothing. `link`: an address on this server, and its words."""
    way_on = "" if link is None else f'\n<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>'
    html = _PAGE.format(title=escape(title), sentence=escape(sentence), link=way_on)
    return _answer(status, html, headers or {})


def error_page(error: ApiError) -> HTMLResponse:
    """Say an error of the API to a person."""
    titles = {400: "This link is not valid", 404: "There is nothing here", 405: "This is a link to open"}
    titles |= {403: "This download is not yours", 429: "Too much at once", 503: "Not possible at the moment"}
    return page(error.status, titles.get(error.status, "Something went wrong"), error.message, error.headers)


_REPORT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Fencepost</title>
<style>
body {{ font: 11pt/1.45 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1.5rem }}
table {{ border-collapse: collapse; width: 100%; font-size: 10pt }}
caption {{ text-align: left; font-weight: bold; padding: 1.2rem 0 .3rem }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid }}
th:nth-child(n+2), td:nth-child(n+2) {{ text-align: right; font-variant-numeric: tabular-nums }}
tr {{ break-inside: avoid }}
@media print {{ body {{ margin: 0; max-width: none }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{paragraphs}
{tables}
</main>
</body>
</html>
"""

_METHOD = (
    "A job counts as wrong where all who are sure would decide otherwise. Where people are not sure or disagree, the "
    "least and the most are given. Intervals are stratified Wilson intervals (Yan and Su, 2010) with a correction for "
    "populations that end; ratios have the bounds of Donner and Zou (2012)."
)


def make_report(sample: Row[Any], answer: Answer, lapsed: Lapsed) -> HTMLResponse:
    """Make the page."""
    now = datetime.now(UTC).replace(microsecond=0)
    paragraphs = [
        describe_filter(JobFilter.from_params(sample.filter.items())),
        f"{say_how_drawn(sample, answer)} Drawn {print_time(sample.drawn_at.replace(microsecond=0))} (UTC).",
        say_how_judged(sample),
        f"{answer.judged:,} of {answer.drawn:,} jobs were judged by {print_time(now)} (UTC). Not judged, "
        f"{len(lapsed.gone):,} are gone and {len(lapsed.changed):,} were decided anew since.",
        *say_versions(answer.versions),
        _METHOD,
    ]
    groups = [(name_group(one, sample.strata[1:]), one.wrong) for one in answer.strata]
    tables = (
        _table("Rejection", list_figures(answer)),
        _table("Flags", list_flag_figures(answer)),
        _table("Share of decisions that are wrong, by kind", groups),
    )
    html = _REPORT.format(
        title=escape(sample.name),
        paragraphs="\n".join(f"<p>{escape(text)}</p>" for text in paragraphs),
        tables="\n".join(tables),
    )
    return _answer(200, html, {})


def _answer(status: int, html: str, headers: dict[str, str]) -> HTMLResponse:
    """Answer with a page that may have the style that stands in it, and nothing else."""
    style = html.partition("<style>")[2].partition("</style>")[0]
    allowed = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    protected = PROTECTED | {"Content-Security-Policy": _POLICY.format(allowed), "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, status, protected | headers)


def _table(caption: str, figures: Sequence[tuple[str, Figure]]) -> str:
    rows = "\n".join(_row("td", [name, *_cells(figure)]) for name, figure in figures)
    head = _row("th", ["", "Share", "95 % interval", "Judged", "Jobs"])
    return f"<table>\n<caption>{escape(caption)}</caption>\n{head}\n{rows}\n</table>"


def _cells(figure: Figure) -> Iterable[str]:
    interval = say_interval(figure) or f"not known: {figure.why_not}"
    return say_share(figure), interval, f"{figure.judged:,}", f"{figure.jobs:,}"


def _row(cell: str, texts: Iterable[str]) -> str:
    scope = ' scope="col"' if cell == "th" else ""
    return "<tr>" + "".join(f"<{cell}{scope}>{escape(text)}</{cell}>" for text in texts) + "</tr>"
