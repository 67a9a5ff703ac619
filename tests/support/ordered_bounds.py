"""What Schemathesis cannot read from `openapi.json`, because JSON Schema cannot compare two values.

`from` is not after `to`, and they are at most 366 days apart. Before a request leaves, bounds that are two good times
are exchanged and brought together where that is not so; all other values, good or bad, stay as they were generated.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import schemathesis

LONGEST = timedelta(days=366)

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@schemathesis.hook  # type: ignore[untyped-decorator]  # what others' code alone reaches is not read
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Put the bounds of an export in order."""
    if case.query and all(_TIME.fullmatch(str(case.query.get(name))) for name in ("from", "to")):
        case.query |= order(case.query["from"], case.query["to"])


def order(start: str, end: str) -> dict[str, str]:
    """Return the parameters `from` and `to` of a range that may be asked for, made of two times."""
    try:
        earlier, later = sorted((start, end), key=_parse)
        distance = _parse(later) - _parse(earlier)
        if distance > LONGEST:
            later = (_parse(earlier) + distance % LONGEST).isoformat()
    except (ValueError, OverflowError):
        # A day that does not exist: that is for the server to say.
        return {"from": start, "to": end}
    return {"from": earlier, "to": later}


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text.upper())
