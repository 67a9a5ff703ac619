"""The chain of the audit: each event's hash covers the one before it, and the head covers all."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from core.db.database import Database
from core.db.schema import audit_events
from core.errors import InvalidParameter
from core.instants import print_exact
from core.program import COMMAND

# What stands before the first event in place of a hash.
GENESIS = bytes(32)

# No event of ours ever has this number or a greater one: who can write the table cannot use up the numbers.
FIRST_IMPOSSIBLE = 2**62


_HEAD = re.compile(r"(\d{1,18}):([0-9a-fA-F]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: who notes it can tell later whether anything up to it was touched."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


EMPTY = Head(0, GENESIS)


def parse_head(value: str) -> Head:
    """Read what `core audit head` prints; raise `InvalidParameter` for anything else."""
    match = _HEAD.fullmatch(value.strip())
    if match is None or (int(match[1]) == 0 and bytes.fromhex(match[2]) != GENESIS):
        raise InvalidParameter(
            f"expect is not the head of an audit: give what `{COMMAND} audit head` printed, SEQ:HASH with 64 "
            "hexadecimal digits."
        )
    return Head(int(match[1]), bytes.fromhex(match[2]))


def find_head(database: Database) -> Head:
    """Return the last event's number and hash, or `EMPTY` where there is none."""
    last = (
        select(audit_events.c.seq, audit_events.c.hash)
        .where(audit_events.c.seq < FIRST_IMPOSSIBLE)
        .order_by(audit_events.c.seq.desc())
        .limit(1)
    )
    with database.transaction() as connection:
        row = connection.execute(last).one_or_none()
    return EMPTY if row is None else Head(row.seq, bytes(row.hash))


def name_key(key: bytes) -> str:
    """Return the id of a key of the chain, which tells nothing of the key."""
    return hmac.digest(key, b"fencepost audit key id", "sha256")[:6].hex()


def chain_hash(key: bytes | None, previous: bytes, values: Mapping[str, Any]) -> bytes:
    """Hash an event: HMAC-SHA256(key, previous hash ‖ canonical JSON), or without a key plain SHA-256 of the same.

    Canonical: all members but the hash in the order of their names, no spaces, UTF-8, times in UTC with microseconds;
    without `key_id` where there is none, as in events from before keys had names.
    """
    canonical = json.dumps(
        {
            name: print_exact(value) if isinstance(value, datetime) else value
            for name, value in values.items()
            if name != "key_id" or value is not None
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    if key is None:
        return hashlib.sha256(previous + canonical).digest()
    return hmac.digest(key, previous + canonical, "sha256")
