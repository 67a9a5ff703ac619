"""Which events of the audit are meant: the filter of its page and of its file, parsed, checked and printed back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_

from core.audit.events import Event
from core.db.folding import Folding
from core.db.schema import audit_events
from core.errors import InvalidParameter
from core.instants import parse_instant, print_instant
from core.jobs.filter import DateRange
from core.jobs.query import contains

LONGEST_WHO = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """All members combine with AND; `who` is contained in the actor, the address or the remote address."""

    range: DateRange | None = None
    event: tuple[Event, ...] = ()
    who: str | None = None

    @classmethod
    def from_params(cls, params: Iterable[tuple[str, str]]) -> "AuditFilter":
        """Parse parameters. Raises `InvalidParameter`, which names the one that is unknown, repeated or wrong."""
        given: dict[str, str] = {}
        for name, value in params:
            if name not in ("from", "to", "event", "who"):
                raise InvalidParameter("The audit is filtered by from, to, event and who: remove the other parameters.")
            if name in given or value == "":
                raise InvalidParameter(f"{name} is empty or given more than once: give it once, with a value.")
            given[name] = value
        if ("from" in given) != ("to" in given):
            raise InvalidParameter("from and to belong together: give both or neither.")
        bounds = None
        if "from" in given:
            bounds = DateRange(parse_instant("from", given["from"]), parse_instant("to", given["to"]))
        who = given.get("who")
        if who is not None and (len(who) > LONGEST_WHO or not who.isprintable()):
            raise InvalidParameter(
                f"who takes up to {LONGEST_WHO} characters that can be shown: shorten or correct it."
            )
        return cls(range=bounds, event=_parse_events(given.get("event")), who=who)

    def to_params(self) -> dict[str, str]:
        """Print the filter as parameters; `from_params` reads them back."""
        params: dict[str, str] = {}
        if self.range is not None:
            params = {"from": print_instant(self.range.start), "to": print_instant(self.range.end)}
        if self.event:
            params["event"] = ",".join(self.event)
        if self.who is not None:
            params["who"] = self.who
        return params

    def conditions(self, folding: Folding) -> list[ColumnElement[bool]]:
        """Build the conditions on `audit_events`."""
        found: list[ColumnElement[bool]] = []
        if self.range is not None:
            found += [audit_events.c.at >= self.range.start, audit_events.c.at < self.range.end]
        if self.event:
            found.append(audit_events.c.event.in_([event.value for event in self.event]))
        if self.who is not None:
            columns: list[Any] = [audit_events.c.actor, audit_events.c.address, audit_events.c.remote_address]
            found.append(or_(*(contains(column, self.who, folding) for column in columns)))
        return found


def _parse_events(value: str | None) -> tuple[Event, ...]:
    """Return the events of a list once each, in their usual order."""
    if value is None:
        return ()
    items = value.split(",")
    if not set(items) <= set(Event):
        raise InvalidParameter(f"event takes a list of {', '.join(Event)}.")
    return tuple(event for event in Event if event in items)
