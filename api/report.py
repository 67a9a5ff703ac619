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
    list_agreements,
    list_figures,
    list_flag_figures,
    name_group,
    say_alpha,
    say_corrected,
    say_errors,
    say_how_drawn,
    say_how_judged,
    say_interval,
    say_share,
    say_versions,
)
from core.review.sample_agreement import SampleAgreement

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1.5rem }
table { border-collapse: collapse; width: 100%; font-size: 10pt }
caption { text-align: left; font-weight: bold; padding: 1.2rem 0 .3rem }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid }
th:nth-child(n+2), td:nth-child(n+2) { text-align: right; font-variant-numeric: tabular-nums }
td:first-child { overflow-wrap: anywhere }
tr { break-inside: avoid }
@media print { body { margin: 0; max-width: none } }
"""

_METHOD = (
    "A job counts as wrong where all who are sure would decide otherwise. Where people are not sure or disagree, and "
    "nobody has settled it, the least and the most are given. Intervals are where 95 % of the populations lie that the "
    "verdicts may come from: a Bayesian posterior, whose prior is half a job of each kind in all strata together."
)


_AGREEMENT = (
    "Krippendorff's alpha of the jobs that two or more people have judged: 1 is full agreement, 0 is what chance alone "
    "would give, and below 0.67 verdicts are too unlike to build on. Who was not sure does not count. The interval is "
    "that of a bootstrap of the jobs."
)


def make_report(sample: Row[Any], found: Answer, lapsed: Lapsed, agreement: SampleAgreement) -> HTMLResponse:
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
        say_errors(found.errors),
        *(f"{name}: {said}" for name, figure in list_figures(found) if (said := say_corrected(figure))),
    ]
    groups = [(name_group(one, sample.strata[1:]), one.wrong) for one in found.strata]
    tables = (
        _table_figures("Rejection", list_figures(found)),
        _table_figures("Flags", list_flag_figures(found)),
        _table_figures("Share of decisions that are wrong, by kind", groups),
        _table_agreement(agreement),
    )
    body = "\n".join([*(f"<p>{escape(text)}</p>" for text in paragraphs), *tables, f"<p>{escape(_AGREEMENT)}</p>"])
    return answer(200, sample.name, body, style=_STYLE)


def _table_figures(caption: str, figures: Sequence[tuple[str, Figure]]) -> str:
    rows = [[name, *_cells(figure)] for name, figure in figures]
    return _table(caption, ["", "Share", "95 % interval", "Judged", "Jobs"], rows)


def _table_agreement(agreement: SampleAgreement) -> str:
    rows = [[name, *say_alpha(one), f"{one.unanimous:,}", f"{one.jobs:,}"] for name, one in list_agreements(agreement)]
    return _table("Whether reviewers agree", ["", "Alpha", "95 % interval", "All agree", "Jobs"], rows)


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = "\n".join([_row("th", head), *(_row("td", row) for row in rows)])
    return f"<table>\n<caption>{escape(caption)}</caption>\n{lines}\n</table>"


def _cells(figure: Figure) -> Iterable[str]:
    interval = say_interval(figure) or f"not known: {figure.why_not}"
    return say_share(figure), interval, f"{figure.judged:,}", f"{figure.jobs:,}"


def _row(cell: str, texts: Iterable[str]) -> str:
    scope = ' scope="col"' if cell == "th" else ""
    return "<tr>" + "".join(f"<{cell}{scope}>{escape(text)}</{cell}>" for text in texts) + "</tr>"
