"""What became of an attempt to tell an endpoint something."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of the answer, or why there was none; and what was wrong (None: nothing).

    `retry_after`: seconds after which the endpoint wants to be asked again.
    """

    status: int | None
    error: str | None = None
    retry_after: float = 0

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants nothing any more (410)."""
        return self.status == HTTPStatus.GONE
