"""Whether the audit is as it was recorded: walks the chain, and names the first row that is not."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from json import loads
from typing import Any

from sqlalchemy import Connection, Text, cast, select, text

from core.audit.chain import EMPTY, Head, chain_hash
from core.csv.format import instant
from core.db.databases import Databases
from core.db.schema import audit_events
from core.errors import NotPossible

# Rows that are in memory at once.
BATCH = 1000

# Somebody who removes rows may renumber the later ones; so many removed rows are recognised as what they are.
MOST_RENUMBERED = 1000

KEY = "FENCEPOST_AUDIT_KEY"


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the audit as it stands in the table. `values` is everything that is hashed beside the row before."""

    seq: int
    hash: bytes
    values: dict[str, Any]

    def follows(self, previous: bytes, key: bytes | None, *, seq: int | None = None) -> bool:
        """Tell whether this row was recorded after one with that hash, if need be under another number."""
        try:
            changed = {"seq": self.seq if seq is None else seq, "details": loads(self.values["details"])}
            return chain_hash(key, previous, self.values | changed) == self.hash
        except (TypeError, ValueError, RecursionError):
            # What no event of ours holds, such as a number of thousands of digits.
            return False


@dataclass(frozen=True, slots=True)
class _Walk:
    """How far a check has come: the last row, and the last one that was hashed without the key."""

    head: Head = EMPTY
    last_plain: int = 0


def check_chain(databases: Databases, expected: Head | None = None) -> str:
    """Walk the whole chain, in flat memory, and say what it proves.

    `expected` is a head that was noted earlier: with it a cut tail is found, too, and a chain that somebody without
    the key has written anew. Raises `NotPossible`, which names the first row that was changed, removed or inserted.
    """
    key = databases.audit_key
    walk = _Walk()
    with databases.ours.transaction() as connection:
        # Each batch is soon read, but all of them may take their time.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        with closing(_read_links(connection)) as links:
            for link, following in pairwise(chain(links, (None,))):
                assert link is not None
                walk = _step(walk, link, following, key)
                if expected is not None and walk.head.seq == expected.seq and walk.head.hash != expected.hash:
                    raise NotPossible(
                        f"Row {expected.seq} is not the one that was noted: it, or a row before it, was changed and "
                        "all rows from there on were hashed anew."
                    )
    if expected is not None and walk.head.seq < expected.seq:
        raise NotPossible(
            f"Row {walk.head.seq + 1} was removed: the tail was cut after row {walk.head.seq}, and row {expected.seq} "
            "was noted."
        )
    if key is not None and walk.last_plain > (expected.seq if expected is not None else 0):
        raise NotPossible(
            f"Row {walk.last_plain} and all before it were hashed without {KEY}: they were recorded before it was set, "
            f"or forged by somebody who does not have it. Only a head that was noted then can tell: give --expect "
            f"SEQ:HASH of row {walk.last_plain} or a later one."
        )
    return _conclude(walk, expected, key)


def _read_links(connection: Connection) -> Generator[Link]:
    """Read all rows in their order, from one snapshot. Text where the driver could stumble over a forged value."""
    columns = [
        instant(audit_events.c.at).label("at"),
        *(audit_events.c[name] for name in ("seq", "event", "actor", "address", "remote_address", "subject")),
        cast(audit_events.c.details, Text).label("details"),
        audit_events.c.hash,
    ]
    query = select(*columns).order_by(audit_events.c.seq)
    with connection.execution_options(yield_per=BATCH).execute(query) as rows:
        for row in rows:
            values = dict(row._mapping)
            yield Link(row.seq, bytes(values.pop("hash") or b""), values)


def _step(walk: _Walk, link: Link, following: Link | None, key: bytes | None) -> _Walk:
    """Go on to a row; raise `NotPossible` where it is not the one that was recorded here."""
    head = walk.head
    if link.seq <= head.seq:
        raise NotPossible(f"Row {link.seq} was inserted: the row before it has the number {head.seq}.")
    if link.seq > head.seq + 1:
        raise NotPossible(f"{_name_rows(head.seq + 1, link.seq - 1)} removed: the next row is {link.seq}.")
    done = replace(walk, head=Head(link.seq, link.hash))
    if link.follows(head.hash, key):
        return done
    if key is not None and link.follows(head.hash, None):
        if walk.last_plain == head.seq:
            return replace(done, last_plain=link.seq)
        raise NotPossible(
            f"Row {link.seq} was hashed without {KEY}, after rows that were hashed with it: it was inserted or written "
            "anew, or a process runs without the key."
        )
    raise NotPossible(_explain(head, link, following, key))


def _explain(head: Head, link: Link, following: Link | None, key: bytes | None) -> str:
    """Say what became of a row, as far as the row after it tells."""
    seq = link.seq
    if following is not None and following.seq == seq + 1:
        for used in dict.fromkeys((key, None)):
            if following.follows(link.hash, used):
                return f"Row {seq} was changed: row {seq + 1} still continues what it was."
            if following.follows(head.hash, used, seq=seq):
                if link.follows(following.hash, used, seq=seq + 1):
                    return f"Row {seq} was changed: it has changed places with row {seq + 1}."
                return f"Row {seq} was inserted, and the rows after it renumbered."
            for removed in range(1, MOST_RENUMBERED + 1):
                if following.follows(link.hash, used, seq=seq + 1 + removed):
                    return f"{_name_rows(seq, seq + removed - 1)} removed, and the rows after it renumbered."
    hashed = f"hashed with a {KEY}, and none is set here" if key is None else f"hashed with another {KEY} or none"
    return f"Row {seq} is not what was recorded after row {head.seq}: it was changed or inserted, or {hashed}."


def _conclude(walk: _Walk, expected: Head | None, key: bytes | None) -> str:
    """Say what an unbroken chain proves, and what it does not."""
    sentences = [f"The audit is one unbroken chain of {walk.head.seq:,} events up to {walk.head}."]
    if expected is None:
        sentences.append("A cut tail is found only against a head that was noted earlier: --expect SEQ:HASH.")
    if key is None:
        after = "" if expected is None else f" after row {expected.seq}"
        sentences.append(
            f"Without {KEY} this does not prove that nobody who can write the table has written it anew{after}."
        )
    elif walk.last_plain:
        sentences.append(f"Row {walk.last_plain} and all before it have no {KEY}; the noted head vouches for them.")
    return " ".join(sentences)


def _name_rows(first: int, last: int) -> str:
    return f"Row {first} was" if first == last else f"Rows {first} to {last} were"
