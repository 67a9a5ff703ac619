"""What other services are told, and how it is written: ids, times, a verdict, categories and a client, never a text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from core.instants import print_instant


class WebhookEvent(StrEnum):
    """What an endpoint may be told of."""

    REVIEW_OVERTURNED = "review.overturned"
    REVIEW_ESCALATED = "review.escalated"
    SAMPLE_FINISHED = "sample.finished"


# Values that a message may hold. A text would be in none of these fields.
Value = UUID | datetime | int | str | list[str] | None


@dataclass(frozen=True, slots=True)
class Message:
    """Something that has happened, to jobs of a client or (None) to those of no one client."""

    event: WebhookEvent
    client_id: str | None
    data: Mapping[str, Value]

    def to_body(self) -> str:
        """Write it as Standard Webhooks has it: the type, the time, and the data."""
        data = {name: _plain(value) for name, value in self.data.items()} | {"client_id": self.client_id}
        body = {"type": self.event.value, "timestamp": print_instant(datetime.now(UTC)), "data": data}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Value) -> int | str | list[str] | None:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return print_instant(value)
        case _:
            return value
