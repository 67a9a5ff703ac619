"""The description of the API (OpenAPI 3.1) that it serves of itself."""

from collections.abc import Iterable
from typing import Any

from core.export.job_columns import COLUMNS
from core.export.receipts import Contents, Snapshot, Status, Via
from core.export.review_columns import COLUMNS as REVIEW_COLUMNS
from core.export.review_export import PARAMETERS as REVIEW_PARAMETERS
from core.jobs.filter import PARAMETERS
from core.jobs.parameters import Boolean, Choice, Choices, Instant, Names, Parameter, Prefixes, Text
from core.program import VERSION
from core.review.verdicts import Verdict
from core.webhooks.description import describe_webhooks


def _list_of(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Describe a list with commas between its items."""
    return {"style": "form", "explode": False, "schema": {"type": "array", "minItems": 1, "items": items} | more}


def _text(excluded: str = "", **more: Any) -> dict[str, Any]:
    """Describe text of at least one character, without NUL, which no job can contain."""
    return {"type": "string", "pattern": f"^[^\\u0000{excluded}]+$"} | more


def _prefix_pattern() -> str:
    """Write the pattern of 1 to 36 characters from the beginning of a UUID."""
    pattern = ""
    for character in reversed("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"):
        one = "[0-9A-Fa-f]" if character == "x" else "-"
        pattern = f"{one}(?:{pattern})?" if pattern else one
    return pattern


_INSTANT = {"type": "string", "format": "date-time"}

# RFC 3339 as the bounds take it: no leap second, at most six digits of a fraction, and within the years 1 to 9999 of
# UTC, from which an offset could lead away on the first and the last of their days.
_BOUND = _INSTANT | {
    "pattern": "^(?!0000|(0001-01-01|9999-12-31).{8,17}[+-])"
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
}


def _parameter(parameter: Parameter[Any]) -> dict[str, Any]:
    described = {"name": parameter.name, "in": "query", "description": parameter.meaning}
    match parameter.kind:
        case Instant(example):
            return described | {"schema": _BOUND, "required": True, "example": example}
        case Text(longest):
            return described | {"schema": _text() if longest is None else _text(maxLength=longest)}
        case Boolean():
            return described | {"schema": {"type": "string", "enum": ["true", "false"]}}
        case Choice(known):
            return described | {"schema": {"type": "string", "enum": list(known)}}
        case Choices(known, alone):
            either: dict[str, Any] = {}
            if alone is not None:
                others = [word for word in known if word != alone]
                either = {"anyOf": [{"items": {"enum": others}}, {"items": {"const": alone}}]}
            return described | _list_of({"type": "string", "enum": list(known)}, **either)
        case Names():
            return described | _list_of(_text(","))
        case Prefixes(most):
            return described | _list_of({"type": "string", "pattern": f"^{_prefix_pattern()}$"}, maxItems=most)
        case other:
            raise AssertionError(f"{other} is a kind without a schema")


_ERROR_STATUSES = {
    "400": "A parameter is wrong; the message names it.",
    "401": "No valid API key.",
    "403": "The key lacks the scope (`job:read`, `review:read` for verdicts), or another client was asked for.",
    "429": "Too many requests in a minute, or too many exports at once.",
    "500": "A fault of the server.",
    "503": "The database cannot be asked.",
}


def _probe(operation: str, summary: str, meaning: str, status: str) -> dict[str, Any]:
    """Describe what tells a monitor one thing, without a key."""
    version = {"description": "Which version answers.", "schema": {"type": "string"}}
    schema = {"type": "object", "required": ["status"], "properties": {"status": {"const": status}}}
    answer = {
        "description": meaning,
        "headers": {"X-Fencepost-Version": version},
        "content": {"application/json": {"schema": schema}},
    }
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": {"200": answer, **_errors("503")},
    }


def _errors(*statuses: str, **more: str) -> dict[str, Any]:
    described = {status: _ERROR_STATUSES[status] for status in statuses} | {k.strip("_"): v for k, v in more.items()}
    answers: dict[str, Any] = {}
    for status, description in sorted(described.items()):
        answers[status] = {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        if status in ("429", "503"):
            answers[status]["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
        if status == "401":
            answers[status]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
    return answers


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]}


_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`count=exact` asks for `X-Total-Count` (RFC 7240).",
    "schema": {"type": "string"},
}


def _csv(columns: Iterable[str]) -> dict[str, Any]:
    """Describe the body of an export."""
    return {
        "description": f"UTF-8 with a byte order mark; columns {', '.join(columns)}.",
        "headers": {
            "Content-Disposition": {"schema": {"type": "string"}},
            "X-Export-Id": {"schema": {"type": "string", "format": "uuid"}},
            "X-Total-Count": {"schema": {"type": "integer", "minimum": 0}},
        },
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Fencepost",
        "version": VERSION,
        "description": "Moderated jobs as CSV, for a range of time, from one snapshot, with a receipt.",
    },
    "servers": [{"url": "/"}],
    "security": [{"key": []}],
    "paths": {
        "/api/v1/jobs/export": {
            "get": {
                "operationId": "exportJobs",
                "summary": "Export jobs as CSV",
                "parameters": [
                    *map(_parameter, PARAMETERS.values()),
                    _PREFER,
                ],
                "responses": {
                    "200": _csv(COLUMNS),
                    **_errors("400", "401", "403", "429", "500", "503"),
                },
            }
        },
        "/api/v1/reviews/export": {
            "get": {
                "operationId": "exportReviews",
                "summary": "Export verdicts on jobs as CSV",
                "parameters": [*map(_parameter, REVIEW_PARAMETERS.values()), _PREFER],
                "responses": {
                    "200": _csv(REVIEW_COLUMNS),
                    **_errors("400", "401", "403", "429", "500", "503"),
                },
            }
        },
        "/api/v1/jobs/{job_id}/reviews": {
            "get": {
                "operationId": "listReviews",
                "summary": "The verdicts on a job",
                "parameters": [
                    {
                        "name": "job_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    }
                ],
                "responses": {
                    "200": {
                        "description": "Every verdict in the order in which they were given, superseded ones included.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reviews"}}},
                    },
                    **_errors(
                        "400", "401", "403", "429", "500", "503", _404="No job of this key's client has this id."
                    ),
                },
            }
        },
        "/api/v1/exports/{export_id}": {
            "get": {
                "operationId": "getReceipt",
                "summary": "The receipt of an export",
                "parameters": [
                    {
                        "name": "export_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    }
                ],
                "responses": {
                    "200": {
                        "description": "The receipt.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Receipt"}}},
                    },
                    **_errors(
                        "400", "401", "403", "429", "500", "503", _404="No export of this key's client has this id."
                    ),
                },
            }
        },
        "/api/v1/openapi.json": {
            "get": {
                "operationId": "getDescription",
                "summary": "This description",
                "security": [],
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
        "/health": {"get": _probe("getHealth", "Whether the database answers", "It does.", "ok")},
        "/ready": {
            "get": _probe(
                "getReadiness",
                "Whether requests may be sent to this process",
                "They may: the database answers, and its tables are those of this version.",
                "ready",
            )
        },
    },
    "webhooks": describe_webhooks(),
    "components": {
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, `fp_…`."}},
        "schemas": {
            "Error": {
                "type": "object",
                "additionalProperties": False,
                "required": ["error", "message", "statusCode"],
                "properties": {
                    "error": {"type": "string"},
                    "message": {"type": "string"},
                    "statusCode": {"type": "integer"},
                },
            },
            "Reviews": {
                "type": "object",
                "required": ["job_id", "reviews"],
                "properties": {
                    "job_id": {"type": "string", "format": "uuid"},
                    "reviews": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["review_id", "act_id", "person", "verdict", "is_prohibited", "reviewed_at"],
                            "properties": {
                                "review_id": {"type": "integer"},
                                "act_id": {"type": "string", "format": "uuid"},
                                "person": {"type": "string"},
                                "is_prohibited": {"type": "boolean"},
                                "verdict": {"type": "string", "enum": list(Verdict)},
                                "categories": {"type": ["array", "null"], "items": {"type": "string"}},
                                "note": _nullable({"type": "string"}),
                                "reviewed_at": _INSTANT,
                                "superseded_at": _nullable(_INSTANT),
                            },
                        },
                    },
                },
            },
            "Receipt": {
                "type": "object",
                "required": [
                    *(
                        "export_id",
                        "requested_by",
                        "via",
                        "client_id",
                        "filter",
                        "snapshot_at",
                        "started_at",
                    ),
                    *("heartbeat_at", "finished_at", "status", "rows", "bytes", "sha256"),
                ],
                "properties": {
                    "export_id": {"type": "string", "format": "uuid"},
                    "requested_by": {"type": "string"},
                    "via": {"type": "string", "enum": list(Via)},
                    "contents": {"const": Contents.REVIEWS.value, "description": "Only where it holds verdicts."},
                    "client_id": _nullable({"type": "string"}),
                    "clients": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Only where a person asked who sees the jobs of several clients: of these.",
                    },
                    "filter": {"type": "object", "additionalProperties": {"type": "string"}},
                    "snapshot_at": _nullable(_INSTANT),
                    "snapshot": {
                        "const": Snapshot.PER_NODE.value,
                        "description": "Only where the source is several servers: each took its own snapshot, within"
                        " moments of the others.",
                    },
                    "started_at": _INSTANT,
                    "heartbeat_at": _INSTANT,
                    "finished_at": _nullable(_INSTANT),
                    "status": {"type": "string", "enum": list(Status)},
                    "rows": {"type": "integer", "minimum": 0},
                    "bytes": {"type": "integer", "minimum": 0},
                    "sha256": _nullable({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
                },
            },
        },
    },
}
