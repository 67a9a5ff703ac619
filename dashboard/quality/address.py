"""The address of the page of quality: one sample, and which one it is held against, or the list of all."""

from dataclasses import dataclass
from uuid import UUID

from core.errors import InvalidParameter
from dashboard.address.reading import read_or_default


@dataclass(frozen=True, slots=True)
class Place:
    """What the address asks for: a sample and the one that it is held against, or the list (None)."""

    sample: UUID | None = None
    other: UUID | None = None

    def to_params(self) -> dict[str, str]:
        ids = {"sample": self.sample, "against": self.other}
        return {name: str(one) for name, one in ids.items() if one is not None}


def read_address() -> Place:
    """Parse the address; where it is wrong, say so and show the list."""
    return read_or_default(parse_place, Place, named="the list of samples")


def parse_place(params: list[tuple[str, str]]) -> Place:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way."""
    given = dict(params)
    if len(given) < len(params) or not given.keys() <= {"sample", "against"}:
        raise InvalidParameter("This page knows sample and against, once each: remove what is beside them.")
    if "against" in given and "sample" not in given:
        raise InvalidParameter("against is given without sample: choose a sample first.")
    try:
        ids = [UUID(given[name]) if name in given else None for name in ("sample", "against")]
    except ValueError:
        raise InvalidParameter("sample and against are ids of samples: take them from the list.") from None
    return Place(ids[0], ids[1])
