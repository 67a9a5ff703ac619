"""The address of the page of quality: one sample, and which one it is held against, or the list of all."""

from dataclasses import dataclass
from uuid import UUID

from core.errors import InvalidParameter
from dashboard.address.reading import read_or_default


@dataclass(frozen=True, slots=True)
class Place:
    """What the address asks for: a sample and the one that it is held against, or the list (None).

    `is_judging`: the sample is judged, and `job` is the one that is open.
    """

    sample: UUID | None = None
    other: UUID | None = None
    is_judging: bool = False
    job: UUID | None = None

    def to_params(self) -> dict[str, str]:
        ids = {"sample": self.sample, "against": self.other, "job": self.job}
        judging = {"judge": "true"} if self.is_judging else {}
        return {name: str(one) for name, one in ids.items() if one is not None} | judging


def read_address() -> Place:
    """Parse the address; where it is wrong, say so and show the list."""
    return read_or_default(parse_place, Place, named="the list of samples")


def parse_place(params: list[tuple[str, str]]) -> Place:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way."""
    given = dict(params)
    if len(given) < len(params) or not given.keys() <= {"sample", "against", "judge", "job"}:
        raise InvalidParameter(
            "This page takes sample, against, judge and job, once each: remove everything else from its address."
        )
    if given and "sample" not in given:
        raise InvalidParameter("sample is missing: choose one first.")
    if given.get("judge", "true") != "true" or ("job" in given and "judge" not in given):
        raise InvalidParameter("judge takes true, and job stands beside it: go back to the sample.")
    try:
        ids = [UUID(given[name]) if name in given else None for name in ("sample", "against", "job")]
    except ValueError:
        raise InvalidParameter("sample, against and job are ids: take them from the list.") from None
    return Place(ids[0], ids[1], "judge" in given, ids[2])
