"""The description of webhooks (OpenAPI 3.1, `webhooks`): what is sent, beside what may be asked for."""

from typing import Any

from core.jobs.filter import Category
from core.webhooks.events import WebhookEvent

_ID = {"type": "string", "format": "uuid"}
_INSTANT = {"type": "string", "format": "date-time"}
_CLIENT = {"type": ["string", "null"], "description": "The client whose job it is; null: of no one client."}

_REVIEW: dict[str, Any] = {
    "review_id": {"type": "integer"},
    "act_id": _ID,
    "job_id": _ID,
    "job_created_at": _INSTANT,
    "reviewed_at": _INSTANT,
    "verdict": {"type": "string"},
    "categories": {"type": ["array", "null"], "items": {"type": "string", "enum": [each.value for each in Category]}},
    "client_id": _CLIENT,
}
_SAMPLE: dict[str, Any] = {"sample_id": _ID, "drawn_at": _INSTANT, "finished_at": _INSTANT, "client_id": _CLIENT}

# What happened, and what is said of it.
EVENTS: dict[WebhookEvent, tuple[str, dict[str, Any]]] = {
    WebhookEvent.REVIEW_OVERTURNED: ("A reviewer has overturned a decision", _REVIEW),
    WebhookEvent.REVIEW_ESCALATED: ("A reviewer wants others to look at a job", _REVIEW),
    WebhookEvent.SAMPLE_FINISHED: ("A sample has all verdicts that it gets", _SAMPLE),
}

_HEADERS = [
    {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}
    for name, meaning in (
        ("webhook-id", "The same each time that a message is sent."),
        ("webhook-timestamp", "Seconds since 1970, of this attempt."),
        ("webhook-signature", "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body with dots between."),
    )
]


def describe_webhooks() -> dict[str, Any]:
    """Describe each event as a request that is sent to an endpoint."""
    return {event.value: {"post": _describe(event, *said)} for event, said in EVENTS.items()}


def _describe(event: WebhookEvent, summary: str, data: dict[str, Any]) -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event.value},
            "timestamp": _INSTANT,
            "data": {"type": "object", "required": list(data), "properties": data},
        },
    }
    return {
        "operationId": event.value,
        "summary": summary,
        "description": "Signed as Standard Webhooks has it, and sent again until it is answered with 2xx.",
        "security": [],
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "It has arrived."}, "410": {"description": "Send nothing more."}},
    }
