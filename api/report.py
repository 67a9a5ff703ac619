"""The report of a sample, to print or to keep."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from sqlalchemy import Row
from starlette.responses import HTMLResponse

from api.pages import answer
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

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1.5rem }
table { border-collapse: collapse; width: 100%; font-size: 10pt }
caption { text-align: left; font-weight: bold; padding: 1.2rem 0 .3rem }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid }
th:nth-child(n+2), td:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums }
tr { break-inside: avoid }
@media print { body { margin: 0; max-width: none } }
"""

_METHOD = (
    "A job counts as wrong where all who are sure would decide otherwise. Where people are not sure or disagree, the "
    "least and the most are given. Intervals are stratified Wilson intervals (Yan and Su, 2010) with a correction for "
    "populations that end; ratios have the bounds of Donner and Zou (2012)."
)


def make_report(sample: Row[Any], found: Answer, lapsed: Lapsed) -> HTMLResponse:
    """Make the page."""
    now = datetime.now(UTC).replace(microsecond=0)
    paragraphs = [
        describe_filter(JobFilter.from_params(sample.filter.items())),
        f"{say_how_drawn(sample, found)} Drawn {print_time(sample.drawn_at.replace(microsecond=0))} (UTC).",
        say_how_judged(sample),
        f"{found.judged:,} of {found.drawn:,} jobs were judged by {print_time(now)} (UTC). Not judged, "
        f"{len(lapsed.gone):,} are gone and {len(lapsed.changed):,} were decided anew since.",
        *say_versions(found.versions),
        _METHOD,
    ]
    groups = [(name_group(one, sample.strata[1:]), one.wrong) for one in found.strata]
    tables = (
        _table("Rejection", list_figures(found)),
        _table("Flags", list_flag_figures(found)),
        _table("Share of decisions that are wrong, by kind", groups),
    )
    body = "\n".join([*(f"<p>{escape(text)}</p>" for text in paragraphs), *tables])
    return answer(200, sample.name, body, style=_STYLE)


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
