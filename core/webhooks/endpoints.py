"""The endpoints: services that are told what happens. Admins make, pause and remove them, each time in the audit."""

import base64
import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, insert, select, text, update

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.characters import check_shown
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import people, webhook_deliveries, webhook_endpoints
from core.errors import InvalidParameter, NotPossible
from core.webhooks.events import WebhookEvent
from core.webhooks.target import parse_target, resolve

# A sender has a thread for each of them that waits for something.
MOST_ENDPOINTS = 20

# Bytes; Standard Webhooks asks for 24 to 64.
SECRET_BYTES = 32

_UNKNOWN = "There is no such webhook any more: reload the page."


def create_endpoint(
    databases: Databases,
    by: Actor,
    *,
    url: str,
    events: Iterable[WebhookEvent],
    client_id: str | None,
    networks: Sequence[str],
) -> str:
    """Store a new endpoint and return its secret (`whsec_…`), which is never shown again.

    `client_id` None: it hears of the jobs of all clients. `networks` are those beside the world that it may lie in.
    Raises `Forbidden`, and `InvalidParameter` where the address may not be spoken to or nothing would be told.
    """
    check_admin(by)
    chosen = sorted({event.value for event in events})
    if not chosen:
        raise InvalidParameter("It would be told of nothing: choose at least one event.")
    if client_id is not None:
        if not client_id.strip():
            raise InvalidParameter("client is empty: name the client whose jobs it hears of.")
        check_shown("client", client_id)
    if not by.wall.sees_all and (client_id is None or not by.wall.allows(client_id)):
        raise Forbidden("You cannot tell of another client's jobs: name your own.")
    address = parse_target(url)
    try:
        resolve(address, networks)
    except NotPossible as error:
        raise InvalidParameter(f"The address cannot be used, because {error}: correct it.") from None
    endpoint_id, secret = uuid4(), f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    with databases.ours.transaction() as connection:
        # Two at once must not make one too many.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost webhooks', 0))"))
        held = select(func.count()).where(webhook_endpoints.c.removed_at.is_(None))
        if connection.execute(held).scalar_one() >= MOST_ENDPOINTS:
            raise NotPossible(f"There are {MOST_ENDPOINTS} webhooks already: remove one first.")
        connection.execute(
            insert(webhook_endpoints).values(
                endpoint_id=endpoint_id,
                url=str(address),
                client_id=client_id,
                events=chosen,
                secret=secret,
                created_by=by.name,
            )
        )
        # Its path and query may hold a secret of the other service's.
        details = {"host": address.netloc.decode(), "events": chosen, "client_id": client_id}
        append(connection, databases.audit_key, Event.WEBHOOK_CREATED, by, subject=str(endpoint_id), details=details)
    return secret


def list_endpoints(database: Database) -> list[Row[Any]]:
    """List the endpoints that were not removed, without their secrets, oldest first.

    Beside each stand its maker's `address`, and how many messages are `waiting` and were `given_up`.
    """
    columns = [column for column in webhook_endpoints.c if column is not webhook_endpoints.c.secret]
    of_it = webhook_deliveries.c.endpoint_id == webhook_endpoints.c.endpoint_id
    is_open = webhook_deliveries.c.delivered_at.is_(None) & webhook_deliveries.c.given_up_at.is_(None)
    waiting = select(func.count()).where(of_it, is_open).scalar_subquery()
    given_up = select(func.count()).where(of_it, webhook_deliveries.c.given_up_at.is_not(None)).scalar_subquery()
    query = (
        select(*columns, people.c.address, waiting.label("waiting"), given_up.label("given_up"))
        .select_from(webhook_endpoints.outerjoin(people, people.c.person == webhook_endpoints.c.created_by))
        .where(webhook_endpoints.c.removed_at.is_(None))
        .order_by(webhook_endpoints.c.created_at, webhook_endpoints.c.endpoint_id)
    )
    with database.transaction() as connection:
        return list(connection.execute(query))


def pause_endpoint(databases: Databases, by: Actor, endpoint_id: UUID, *, why: str | None = None) -> None:
    """Send nothing until it is resumed; what happens meanwhile waits. `why` is noted in the audit."""
    if by.name != "fencepost":
        check_admin(by)
    values = {"paused_at": func.coalesce(webhook_endpoints.c.paused_at, func.now())}
    _change(databases, by, endpoint_id, values, Event.WEBHOOK_PAUSED, {} if why is None else {"why": why})


def resume_endpoint(databases: Databases, by: Actor, endpoint_id: UUID) -> None:
    """Send again, all that has waited first."""
    check_admin(by)
    _change(databases, by, endpoint_id, {"paused_at": None}, Event.WEBHOOK_RESUMED, {})


def remove_endpoint(databases: Databases, by: Actor, endpoint_id: UUID) -> None:
    """Forget the secret and send nothing more, not even what waits."""
    check_admin(by)
    _change(databases, by, endpoint_id, {"removed_at": func.now(), "secret": None}, Event.WEBHOOK_REMOVED, {})


def check_admin(by: Actor) -> None:
    """Raise `Forbidden` for whoever may not manage webhooks."""
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"Webhooks are managed with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")


def _change(
    databases: Databases, by: Actor, endpoint_id: UUID, values: dict[str, Any], event: Event, details: dict[str, Any]
) -> None:
    change = update(webhook_endpoints).where(
        webhook_endpoints.c.endpoint_id == endpoint_id, webhook_endpoints.c.removed_at.is_(None)
    )
    with databases.ours.transaction() as connection:
        if connection.execute(change.values(values)).rowcount == 0:
            raise NotPossible(_UNKNOWN)
        append(connection, databases.audit_key, event, by, subject=str(endpoint_id), details=details)
