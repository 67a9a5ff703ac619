"""The address of a page is its filter: parsed at the start of a run, written once when somebody applies another."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from core.errors import InvalidParameter
from core.instants import parse_instant, print_exact, print_instant
from core.jobs.filter import PARAMETERS, Decision, JobFilter
from core.jobs.parameters import quote
from core.jobs.query import PageKey
from dashboard.address.periods import DEFAULT, preset_range
from dashboard.address.steps import write_address

PAGE_SIZES = (25, 50, 100, 200)

# Names that only pages know, beside the parameters of the export.
_OURS = ("range", "tz", "after", "size", "job")


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows. `preset` is the name of a relative range, or None where `job_filter.range` was picked.

    `zone` is the one in the address; None means the browser's.
    """

    job_filter: JobFilter
    preset: str | None
    zone: str | None = None
    after: PageKey | None = None
    size: int = PAGE_SIZES[1]
    # The job that is open.
    job: UUID | None = None

    def to_params(self) -> dict[str, str]:
        """Print the view as the parameters of an address; `parse_view` reads them back."""
        params = self.job_filter.to_params()
        if self.preset is not None:
            del params["from"], params["to"]
            params = {"range": self.preset} | params
        if self.zone is not None:
            params["tz"] = self.zone
        if self.after is not None:
            params["after"] = f"{print_exact(self.after.created_at)}_{self.after.job_id}"
        if self.size != PAGE_SIZES[1]:
            params["size"] = str(self.size)
        if self.job is not None:
            params["job"] = str(self.job)
        return params

    def filtered(self, job_filter: JobFilter) -> "View":
        """Return the first page of another filter, with no job open."""
        return replace(self, job_filter=job_filter, after=None, job=None)


def default_view(browser_zone: ZoneInfo, now: datetime) -> View:
    """The view of an address without parameters: what was rejected in the last 7 days."""
    bounds = preset_range(DEFAULT, browser_zone, now)
    return View(JobFilter(range=bounds, decision=(Decision.REJECT,)), DEFAULT)


def parse_view(params: Iterable[tuple[str, str]], browser_zone: ZoneInfo, now: datetime) -> View:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way."""
    given = list(params)
    if not any(name not in ("tz", "size", "job") for name, _ in given):
        given += [("range", DEFAULT), ("decision", Decision.REJECT.value)]
    ours: dict[str, str] = {}
    for name, value in given:
        if name in ours:
            raise InvalidParameter(f"{name} is given more than once: give it once.")
        if name in _OURS:
            ours[name] = value
    others = [(name, value) for name, value in given if name not in _OURS]
    # Before the filter says it, which speaks of an export and does not know the names of pages.
    if unknown := [name for name, _ in others if name not in PARAMETERS]:
        raise InvalidParameter(f"{quote(unknown[0])} is not a parameter of this page: remove it from the address.")
    zone = find_zone(ours["tz"]) if "tz" in ours else browser_zone
    preset = ours.get("range")
    if preset is None and not any(name in ("from", "to") for name, _ in others):
        preset = DEFAULT
    if preset is not None:
        if any(name in ("from", "to") for name, _ in others):
            raise InvalidParameter("range stands in place of from and to: leave out one or the other.")
        bounds = preset_range(preset, zone, now)
        others += [("from", print_instant(bounds.start)), ("to", print_instant(bounds.end))]
    return View(
        JobFilter.from_params(others),
        preset,
        ours.get("tz"),
        _parse_key(ours["after"]) if "after" in ours else None,
        _parse_size(ours["size"]) if "size" in ours else PAGE_SIZES[1],
        _parse_job(ours["job"]) if "job" in ours else None,
    )


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name, such as Europe/Berlin; raise `InvalidParameter` where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidParameter("tz is not a time zone like Europe/Berlin.") from None


def _parse_key(value: str) -> PageKey:
    created_at, _, job_id = value.partition("_")
    try:
        return PageKey(parse_instant("after", created_at), UUID(job_id))
    except (ValueError, InvalidParameter):
        raise InvalidParameter("after is not a place in the list: go back to the first page.") from None


def _parse_job(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidParameter("job is not the id of a job: take it from the list.") from None


def _parse_size(value: str) -> int:
    if value not in map(str, PAGE_SIZES):
        raise InvalidParameter(f"size takes {', '.join(map(str, PAGE_SIZES))}.")
    return int(value)


def go(view: View) -> None:
    """Write the address once: one step that Back undoes."""
    write_address(view.to_params())


def go_if_other(view: View, wanted: View) -> None:
    """Write the address where another list is wanted than the one that is shown.

    A browser that has not heard yet that a widget is gone sends what it holds once more, and Streamlit takes that for
    a choice. It would close the job that was opened meanwhile.
    """
    if replace(wanted, after=None, job=None) != replace(view, after=None, job=None):
        go(wanted)
