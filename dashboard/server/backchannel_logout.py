"""The provider says that a session of its own has ended (OpenID Connect Back-Channel Logout 1.0)."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from api.services import ask
from core.auth.claims import name_person
from core.auth.live_sessions import end_by_provider
from core.db.databases import Databases
from core.errors import DatabaseUnavailable
from dashboard.server.sign_in_settings import Provider

# The member of `events` that makes a token a logout token (section 2.4).
EVENT = "http://schemas.openid.net/event/backchannel-logout"

# Those with a public key, none that the client's secret would make.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]

# Bytes of the form.
LARGEST_FORM = 65_536

# Seconds: how old a token may be, how far a clock may be off, and how long a provider may take to answer.
OLDEST, SKEW, PATIENCE = 600, 120, 5

# Seconds for which what a provider publishes is kept, and after which it is asked again where it has a new key.
KEPT, ASKED_AGAIN = 3600, 60


class Refused(Exception):
    """The token is not to be believed; the text says why."""


class Away(Exception):
    """The provider does not say what is needed to believe it."""


@dataclass(slots=True)
class _Published:
    """What a provider publishes: its name in tokens, and its keys; when it was read, and when it was tried to."""

    issuer: str = ""
    keys: KeySet = field(default_factory=lambda: KeySet([]))
    read_at: float = float("-inf")
    tried_at: float = float("-inf")


class BackchannelLogout:
    """The ASGI application at `/auth/backchannel-logout`."""

    def __init__(self, databases: Databases, providers: tuple[Provider, ...]) -> None:
        self._databases = databases
        self._providers = {provider: _Published() for provider in providers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive))
        answer.headers["cache-control"] = "no-store"
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"allow": "POST"})
        try:
            provider, claims = await self._read(await _read_form(request))
            person = name_person(claims["iss"], claims["sub"]) if "sub" in claims else None
            # What began after the token was made is another session, so a token that is sent again does nothing.
            before = datetime.fromtimestamp(claims["iat"] + SKEW, UTC)
            await ask(self._end, provider.name, person, claims.get("sid"), before)
        except Refused as error:
            return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)
        except (Away, DatabaseUnavailable):
            # So that the provider tries again.
            return Response(status_code=503, headers={"retry-after": "60"})
        return Response(status_code=200)

    def _end(self, provider: str, person: str | None, provider_session: str | None, before: datetime) -> None:
        end_by_provider(self._databases, provider, person=person, provider_session=provider_session, before=before)

    async def _read(self, text: str) -> tuple[Provider, dict[str, Any]]:
        """Return what a logout token says, and whose it is (section 2.6)."""
        try:
            issuer = dict(json.loads(jws.extract_compact(text.encode()).payload)).get("iss")
        except (JoseError, ValueError, TypeError):
            raise Refused("logout_token is no signed token.") from None
        for provider, published in self._providers.items():
            await _publish(provider, published, KEPT)
            if published.issuer == issuer:
                return provider, await self._check(text, provider, published)
        raise Refused("iss is no provider of this server.")

    async def _check(self, text: str, provider: Provider, published: _Published) -> dict[str, Any]:
        try:
            try:
                claims = jwt.decode(text, published.keys, algorithms=ALGORITHMS).claims
            except InvalidKeyIdError:
                await _publish(provider, published, ASKED_AGAIN)
                claims = jwt.decode(text, published.keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            raise Refused("logout_token is not signed by its provider.") from None
        _check_claims(claims, provider, published.issuer)
        return claims


def _check_claims(claims: dict[str, Any], provider: Provider, issuer: str) -> None:
    now = time.time()
    audience = claims.get("aud")
    issued_at, expires_at = claims.get("iat"), claims.get("exp", now)
    events = claims.get("events")
    named = [claims[name] for name in ("sub", "sid") if name in claims]
    wrong = {
        "iss": claims.get("iss") != issuer,
        "aud": provider.client_id not in (audience if isinstance(audience, list) else [audience]),
        "iat": not isinstance(issued_at, int | float) or not now - OLDEST <= issued_at <= now + SKEW,
        "exp": not isinstance(expires_at, int | float) or expires_at < now - SKEW,
        "events": not isinstance(events, dict) or not isinstance(events.get(EVENT), dict),
        "nonce": "nonce" in claims,
        "sub or sid": not named or not all(isinstance(name, str) and name and "\0" not in name for name in named),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise Refused(f"{name} is not what a logout token of this provider has.")


async def _publish(provider: Provider, published: _Published, kept: float) -> None:
    """Read what a provider publishes where what is known is older than so many seconds; seldom, whoever asks."""
    now = time.monotonic()
    if now - published.read_at < kept:
        return
    if now - published.tried_at < ASKED_AGAIN:
        if published.issuer:
            return
        raise Away
    published.tried_at = now
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            metadata = (await client.get(provider.metadata_url)).raise_for_status().json()
            keys = (await client.get(metadata["jwks_uri"])).raise_for_status().json()
        published.issuer, published.keys = str(metadata["issuer"]), KeySet.import_key_set(keys)
    except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError):
        raise Away from None
    published.read_at = now


async def _read_form(request: Request) -> str:
    """Return the token in a form that is sent."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_FORM:
                raise Refused("The form is too large.")
        tokens = parse_qs(body.decode("ascii"), max_num_fields=20).get("logout_token", [])
    except (ValueError, ClientDisconnect):
        raise Refused("The body is no form.") from None
    if len(tokens) != 1:
        raise Refused("logout_token is missing.")
    return tokens[0]
