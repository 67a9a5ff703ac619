"""Who asks: the key of a request, its scope, its rate."""

import re
from typing import NoReturn

from starlette.requests import HTTPConnection, Request

from api.errors import forbidden, rate_limited, unauthorized
from api.refusals import record_refusal
from api.services import Services, ask
from core.actor import Actor, Scope
from core.auth.api_keys import find_key, parse_key

# RFC 6750, section 2.1; the name of a scheme is case-insensitive (RFC 9110, section 11.1).
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


async def authenticate(request: Request, services: Services, *scopes: Scope) -> Actor:
    """Return the actor whose key the request carries, in the order of the contract's table.

    Of some scopes one is needed; by default `job:read`. Raises `ApiError` 401 without asking the database where the key
    cannot be one of ours; then 503, 403, 429.
    """
    headers = request.headers.getlist("authorization")
    # The parser leaves the blanks behind a value, which are no part of it (RFC 9110, section 5.5).
    match = _BEARER.fullmatch(headers[0].strip(" \t")) if len(headers) == 1 else None
    presented = parse_key(match[1]) if match else None
    if presented is None:
        raise unauthorized()
    key = await ask(find_key, services.databases.ours, presented)
    if key is None:
        raise unauthorized()
    actor = Actor(f"key:{key.key_id}", key.wall, key.scopes, remote_address=remote_address(request))
    if not key.opens_from(actor.remote_address):
        await _refuse_network(actor, services, path=request.scope["path"])
    services.last_use.note(key.key_id)
    await admit(actor, services, *scopes, path=request.scope["path"])
    return actor


def remote_address(request: HTTPConnection) -> str | None:
    """Return the network address that a request came from; behind a proxy that uvicorn trusts, the one it names."""
    return None if request.client is None else request.client.host


async def _refuse_network(actor: Actor, services: Services, *, path: str) -> NoReturn:
    """Raise `ApiError` 403; the audit has it as often as the rate of requests allows."""
    error = forbidden("This key is bound to other networks than this request comes from: ask whoever made it.")
    if services.requests.count(actor.limited_as) is None:
        await record_refusal(services, actor, error.status, error.message, {"path": path})
    raise error


async def admit(actor: Actor, services: Services, *scopes: Scope, path: str) -> None:
    """Count a request of somebody recognised; raise `ApiError` 403 without any of the scopes, 429 beyond the rate.

    That the scope was missing is in the audit, as often as the rate allows.
    """
    retry_after = services.requests.count(actor.limited_as)
    needed = scopes or (Scope.JOB_READ,)
    if actor.scopes.isdisjoint(needed):
        error = forbidden(f"The scope {needed[0].value} is missing: ask for it to be granted.")
        if retry_after is None:
            await record_refusal(services, actor, error.status, error.message, {"path": path})
        raise error
    if retry_after is not None:
        limit = services.settings.fencepost_requests_per_minute
        raise rate_limited(f"More than {limit} requests in a minute: try again in {retry_after} seconds.", retry_after)
