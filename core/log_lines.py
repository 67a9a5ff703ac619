"""How the lines of the log look: as text, or each as a JSON object for whoever collects them."""

import json
import logging
from datetime import UTC, datetime

from core.request_id import REQUEST_ID

# What a line of a request says besides its words; values are text and numbers.
FIELDS = ("method", "path", "status", "milliseconds", "is_complete")


class JsonLines(logging.Formatter):
    """A line of JSON for each record: `at` (RFC 3339, UTC), `level`, `logger`, `message`, `request_id`, and FIELDS."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = getattr(record, "request_id", None) or REQUEST_ID.get()
        if request_id is not None:
            values["request_id"] = request_id
        values |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info is not None and record.exc_info[0] is not None:
            # The class alone: what an error quotes may be a prompt.
            values["error"] = record.exc_info[0].__qualname__
        return json.dumps(values, ensure_ascii=True)
