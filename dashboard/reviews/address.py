"""The address of the page of reviews: which jobs, which queue, in which order; or a queue that people share."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from core.errors import InvalidParameter
from core.review.queues import Queue
from dashboard.address.reading import read_or_default
from dashboard.address.steps import write_address
from dashboard.address.view import View, default_view, parse_view
from dashboard.address.zones import browser_zone


@dataclass(frozen=True, slots=True)
class Place:
    """What the address asks for. `saved` is a queue that people share, which has its own jobs, kind and order."""

    view: View
    queue: Queue = Queue.NEW
    is_sampled: bool = False
    saved: UUID | None = None

    def to_params(self) -> dict[str, str]:
        params = replace(self.view, after=None).to_params()
        if self.saved is not None:
            return {"queue": str(self.saved)} | {name: params[name] for name in ("tz", "job") if name in params}
        if self.queue is not Queue.NEW:
            params["queue"] = self.queue.value
        if self.is_sampled and self.queue is Queue.NEW:
            params["sampled"] = "true"
        return params


def read_address() -> Place:
    """Parse the address; where it is wrong, say so and show the default view."""
    now = datetime.now(UTC)
    return read_or_default(lambda given: _parse(given, now), lambda: Place(default_view(browser_zone(), now)))


def _parse(given: list[tuple[str, str]], now: datetime) -> Place:
    others = [(name, value) for name, value in given if name not in ("queue", "sampled")]
    own = {name: value for name, value in given if name in ("queue", "sampled")}
    named, saved = own.get("queue", Queue.NEW.value), None
    if named not in set(Queue):
        saved = _parse_saved(named)
    if own.get("sampled", "true") != "true":
        raise InvalidParameter("sampled takes true.")
    view = parse_view(others, browser_zone(), now)
    if saved is None:
        return Place(view, Queue(named), "sampled" in own)
    if {name for name, _ in given} - {"queue", "tz", "job"}:
        raise InvalidParameter("A shared queue has its own jobs and order: leave out what is beside queue, job and tz.")
    return Place(view, saved=saved)


def _parse_saved(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidParameter(f"queue takes {', '.join(Queue)}, or the id of a shared queue.") from None


def go_to(place: Place, job: UUID | None) -> None:
    write_address(replace(place, view=replace(place.view, job=job)).to_params())
