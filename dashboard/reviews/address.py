"""The address of the page of reviews: which jobs, which queue, in which order."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from core.errors import InvalidParameter
from core.review.queues import Queue
from dashboard.address.reading import read_or_default
from dashboard.address.steps import write_address
from dashboard.address.view import View, default_view, parse_view
from dashboard.address.zones import browser_zone

QUEUES = {
    Queue.NEW: "Not reviewed yet",
    Queue.SECOND: "Second opinion",
    Queue.DISAGREED: "Two disagree",
    Queue.ESCALATED: "Escalated",
}


def read_address() -> tuple[View, Queue, bool]:
    """Parse the address; where it is wrong, say so and show the default view."""
    now = datetime.now(UTC)
    return read_or_default(
        lambda given: _parse(given, now), lambda: (default_view(browser_zone(), now), Queue.NEW, False)
    )


def _parse(given: list[tuple[str, str]], now: datetime) -> tuple[View, Queue, bool]:
    others = [(name, value) for name, value in given if name not in ("queue", "sampled")]
    own = {name: value for name, value in given if name in ("queue", "sampled")}
    if own.get("queue", Queue.NEW) not in set(Queue) or own.get("sampled", "true") != "true":
        raise InvalidParameter(f"queue takes {', '.join(Queue)}, and sampled takes true.")
    return parse_view(others, browser_zone(), now), Queue(own.get("queue", Queue.NEW)), "sampled" in own


def go_to(view: View, queue: Queue, is_sampled: bool, job: UUID | None) -> None:
    params = replace(view, job=job, after=None).to_params()
    if queue is not Queue.NEW:
        params["queue"] = queue.value
    if is_sampled and queue is Queue.NEW:
        params["sampled"] = "true"
    write_address(params)
