"""The address of the audit's page: its filter, and a place in the list."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.audit.filter import AuditFilter
from core.audit.pages import EventKey
from core.errors import InvalidParameter
from core.instants import parse_instant, print_exact


@dataclass(frozen=True, slots=True)
class AuditView:
    """What the page shows: the events of a filter that come after a place."""

    audit_filter: AuditFilter
    after: EventKey | None = None

    def to_params(self) -> dict[str, str]:
        """Print the view as the parameters of an address; `parse_audit_view` reads them back."""
        params = self.audit_filter.to_params()
        if self.after is not None:
            params["after"] = f"{print_exact(self.after.at)}_{self.after.seq}"
        return params


def parse_audit_view(params: Iterable[tuple[str, str]]) -> AuditView:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way."""
    given = list(params)
    places = [value for name, value in given if name == "after"]
    others = [(name, value) for name, value in given if name != "after"]
    if len(places) > 1:
        raise InvalidParameter("after is given more than once: give it once.")
    return AuditView(AuditFilter.from_params(others), _parse_key(places[0]) if places else None)


def _parse_key(value: str) -> EventKey:
    at, _, seq = value.partition("_")
    if not (seq.isascii() and seq.isdecimal() and len(seq) <= 18):
        raise InvalidParameter("after is not a place in the list: go back to the newest events.")
    return EventKey(parse_instant("after", at), int(seq))
