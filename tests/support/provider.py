"""An OpenID provider: authorization code flow (OpenID Connect Core, section 3.1) for whoever the test says is there."""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from core.auth.derived_keys import derive_key
from tests.support.serving import free_port
from tests.support.waiting import wait_for

CLIENT_ID = "fencepost-tests"
CLIENT_SECRET = "not a secret"
COOKIE_SECRET = "a secret of the tests " * 3


class Provider:
    """A running provider. `claims` are those of the person in front of it; whoever comes is let in at once."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://localhost:{port}"
        self.claims: dict[str, Any] = {}
        self.signed_out = 0
        # The parameters by which it lets itself be told to ask somebody again; and what it answers in place of a code.
        self.knows = {"max_age", "prompt"}
        self.error: str | None = None
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/logout", self._logout),
            ]
        )

    def is_here(self, address: str, **claims: Any) -> None:
        """Let somebody stand in front of the provider."""
        now = int(time.time())
        self.claims = {"sub": f"id of {address}", "email": address, "email_verified": True, "auth_time": now} | claims

    def logout_token(self, **claims: Any) -> str:
        """Sign what tells of a sign-out (OpenID Connect Back-Channel Logout 1.0); a claim that is None is left out."""
        event = "http://schemas.openid.net/event/backchannel-logout"
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "jti": secrets.token_hex(8), "events": {event: {}}}
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "one", "typ": "logout+jwt"}, said, self._key)

    def way_in(self, server: str) -> str:
        """Return the address that the button "Sign in" of a server leads to: Streamlit signs which provider it is."""
        key = OctKey.import_key(derive_key(COOKIE_SECRET, "fencepost streamlit").hex())
        token = jwt.encode({"alg": "HS256"}, {"provider": "company", "exp": int(time.time()) + 120}, key)
        return f"{server}/auth/login?provider={token}"

    def secrets_toml(self, redirect_uri: str) -> str:
        """Return what Fencepost's `secrets.toml` says of this provider."""
        return f"""
            [auth]
            redirect_uri = "{redirect_uri}"
            cookie_secret = "{COOKIE_SECRET}"

            [auth.company]
            client_id = "{CLIENT_ID}"
            client_secret = "{CLIENT_SECRET}"
            server_metadata_url = "{self.issuer}/.well-known/openid-configuration"
        """

    async def _metadata(self, _: Request) -> Response:
        addresses = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        return JSONResponse(
            {
                "issuer": self.issuer,
                **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in addresses.items()},
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        now = int(time.time())
        age = now - int(self.claims.get("auth_time", now))
        if ("prompt" in self.knows and asked["prompt"] == "login") or (
            "max_age" in self.knows and age > int(asked["max_age"])
        ):
            self.claims["auth_time"] = now
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = urlencode(
            ({"code": code} if self.error is None else {"error": self.error}) | {"state": asked["state"]}
        )
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}", 302)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]), None)
        credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form.get("code_verifier")).encode()).digest())
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {credentials}"
            or asked["redirect_uri"] != form["redirect_uri"]
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.claims, self._key)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": token, "expires_in": 300})

    async def _logout(self, request: Request) -> Response:
        self.signed_out += 1
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 302)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider on the loopback for a block."""
    port = free_port()
    provider = Provider(port)
    server = uvicorn.Server(uvicorn.Config(provider.app, host="localhost", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the provider")
        yield provider
    finally:
        server.should_exit = True
        thread.join()
