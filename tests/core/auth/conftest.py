"""A door for each test, and claims to come with."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import pytest

from core.actor import Scope
from core.auth.sign_in import Door, Visit
from core.db.databases import Databases
from core.settings import Settings


@dataclass
class Entrance:
    """A door for one test, and claims to come with."""

    databases: Databases

    def door(self, *providers: str, **people: Any) -> Door:
        values = {f"fencepost_{name}": value for name, value in people.items()}
        return Door(self.databases, Settings(**values), providers or ("default",))

    def scopes(self, door: Door, address: str, **claims: Any) -> set[Scope]:
        actor = come_in(door, claims_of(address, **claims)).actor
        return set() if actor is None else set(actor.scopes)


def come_in(door: Door, claims: dict[str, Any], **more: Any) -> Visit:
    """Sign in with claims, and return what becomes of it."""
    session = secrets.token_hex(32)
    door.sign_in(session, claims, claims.get("provider", "default"), **more)
    return door.enter(session)


def claims_of(address: str, **claims: Any) -> dict[str, Any]:
    now = time.time()
    ordinary = {"iss": "https://id.example.com", "sub": address, "email": address, "email_verified": True}
    return ordinary | {"iat": now, "auth_time": now, "nonce": "n"} | claims


@pytest.fixture
def entrance(databases: Databases) -> Entrance:
    return Entrance(databases)
