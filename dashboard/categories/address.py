"""The address of the page of categories: a filter of the export, as on Jobs, by default everything of 30 days."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core.jobs.filter import JobFilter
from dashboard.address.reading import read_or_default
from dashboard.address.view import PAGE_SIZES, View, parse_view
from dashboard.address.zones import browser_zone

DEFAULT = "30d"


def parse_categories_view(params: Iterable[tuple[str, str]], zone: ZoneInfo, now: datetime) -> View:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way.

    What means a place in a list of jobs means nothing here, and neither does the form of an export.
    """
    given = list(params)
    if not any(name in ("range", "from", "to") for name, _ in given):
        given.append(("range", DEFAULT))
    view = parse_view(given, zone, now)
    job_filter = replace(view.job_filter, spreadsheet_safe=False)
    return replace(view.filtered(job_filter), size=PAGE_SIZES[1])


def read_address(now: datetime) -> View:
    """Parse the address; where it is wrong, say so and show the default view."""
    zone = browser_zone()
    return read_or_default(
        lambda given: parse_categories_view(given, zone, now), lambda: parse_categories_view([], zone, now)
    )


def further_filter(job_filter: JobFilter) -> JobFilter | None:
    """Return the filter where it holds more than a range and a client, for which the page has controls, else None."""
    return None if job_filter == without_further(job_filter) else job_filter


def without_further(job_filter: JobFilter) -> JobFilter:
    return JobFilter(range=job_filter.range, client_id=job_filter.client_id)
