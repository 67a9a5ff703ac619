"""Whether the audit is as it was recorded: walks the chain, and names every row that is not."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, pairwise
from json import loads
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select, text

from core.audit.chain import EMPTY, FIRST_IMPOSSIBLE, Head, chain_hash, name_key
from core.audit.events import Event
from core.csv.format import instant
from core.db.databases import Databases
from core.db.schema import audit_events
from core.errors import NotPossible

# Rows that are in memory at once.
BATCH = 1000

# Somebody who removes rows may renumber the later ones; so many removed rows are recognised as what they are.
MOST_RENUMBERED = 1000

# So many breaks are named; of more only the number is given.
MOST_NAMED = 50

KEY = "FENCEPOST_AUDIT_KEY"


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the audit as it stands in the table. `values` is everything that is hashed beside the row before."""

    seq: int
    hash: bytes
    values: dict[str, Any]

    @property
    def key_id(self) -> str | None:
        return self.values.get("key_id")

    def follows(self, previous: bytes, key: bytes | None, *, seq: int | None = None) -> bool:
        """Tell whether this row was recorded after one with that hash, if need be under another number."""
        try:
            changed = {"seq": self.seq if seq is None else seq, "details": loads(self.values["details"])}
            return chain_hash(key, previous, self.values | changed) == self.hash
        except (TypeError, ValueError, RecursionError):
            # What no event of ours holds, such as a number of thousands of digits.
            return False


def check_chain(databases: Databases, expected: Head | None = None) -> str:
    """Walk the whole chain, in flat memory, and say what it proves.

    `expected` is a head that was noted earlier: with it a cut tail is found, too, and a chain that somebody without
    the key has written anew. Raises `NotPossible`, which names every row that was changed, removed or inserted.
    """
    # What is removed meanwhile, and the row that says so, are both of later.
    with databases.ours.transaction(is_snapshot=True) as connection:
        walk = _Walk(_keys(databases), expected, _find_last_cut(connection))
        walk.read(connection)
    walk.end()
    walk.refuse_breaks()
    return _conclude(walk)


def check_beginning(connection: Connection, databases: Databases, through: int) -> None:
    """Raise `NotPossible`, which names the breaks, where rows up to one are not as they were recorded."""
    walk = _Walk(_keys(databases), None, _find_last_cut(connection))
    walk.read(connection, through)
    walk.refuse_breaks()


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the last cut says: up to which row the rows before it were removed, when, and its own number."""

    through: Head
    at: str
    seq: int


@dataclass(slots=True)
class _Walk:
    """How far a check has come, and the breaks that it met. After each of them it goes on with the row as it stands."""

    keys: tuple[bytes, ...]
    expected: Head | None
    cut: _Cut | None
    head: Head = field(init=False)
    # The last row that was hashed without a key, where all before it were, too.
    last_plain: int = 0
    breaks: list[str] = field(default_factory=list)
    number: int = 0
    # By how much rows were renumbered.
    shift: int = 0
    # The hash of the row whose place the next one has taken.
    swapped: bytes | None = None
    unknown_keys: set[str] = field(default_factory=set)
    # Rows one after the other with the same break are named together: its kind, the first and the last of them.
    run: tuple[str, int, int] | None = None

    def __post_init__(self) -> None:
        self.head = EMPTY if self.cut is None else self.cut.through

    @property
    def beginning(self) -> Head:
        """What the first row continues."""
        return EMPTY if self.cut is None else self.cut.through

    def read(self, connection: Connection, through: int | None = None) -> None:
        """Go on to the last row, or to the one named, in flat memory."""
        # Each batch is soon read, but all of them may take their time.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        with closing(_read_links(connection, through)) as links:
            for link, following in pairwise(chain(links, (None,))):
                assert link is not None
                self.step(link, following)
        self._end_run()

    def refuse_breaks(self) -> None:
        """Raise `NotPossible` where there is a break."""
        if self.breaks:
            more = self.number - len(self.breaks)
            raise NotPossible(" ".join([*self.breaks, *([f"There are {more:,} more breaks."] if more else [])]))

    def step(self, link: Link, following: Link | None) -> None:
        """Go on to a row."""
        seq, head = link.seq, self.head
        if self.swapped is not None:
            self.head, self.swapped = Head(seq, self.swapped), None
        elif seq <= head.seq:
            self._say(f"Row {seq} was inserted: the row before it has the number {head.seq}.")
        elif seq >= FIRST_IMPOSSIBLE:
            self._say(f"Row {seq} was inserted: events never get such a number.")
        elif seq > head.seq + 1:
            self._say(f"{_name_rows(head.seq + 1, seq - 1)} removed: the next row is {seq}.")
            self.head = Head(seq, link.hash)
        else:
            self.head = Head(seq, link.hash)
            self._judge(head, link, following)
        expected = self.expected
        is_noted = expected is not None and seq == self.head.seq and seq - self.shift == expected.seq
        if expected is not None and is_noted and self.head.hash != expected.hash:
            self._say(
                f"Row {expected.seq} is not the one that was noted: it, or a row before it, was changed and all rows "
                "from there on were hashed anew."
            )

    def end(self) -> None:
        """Judge the chain as a whole, after its last row."""
        self._end_run()
        expected, seq = self.expected, self.head.seq
        if expected is not None and expected.seq < self.beginning.seq:
            self._say(
                f"Row {expected.seq}, which was noted, has been cut since, with all rows up to {self.beginning.seq}: "
                "give a head that was noted later."
            )
        elif expected is not None and expected.seq == self.beginning.seq and expected.hash != self.beginning.hash:
            self._say(f"Row {expected.seq}, the last that was cut, is not the one that was noted.")
        if expected is not None and seq < expected.seq and not self.shift:
            self._say(f"Row {seq + 1} was removed: the tail was cut after row {seq}, and row {expected.seq} was noted.")
        if self.keys and self.last_plain > (expected.seq if expected is not None else 0):
            self._say(
                f"Row {self.last_plain} and all before it were hashed without {KEY}: they were recorded before it was "
                "set, or forged by somebody who does not have it. Only a head that was noted then can tell: give "
                f"--expect SEQ:HASH of row {self.last_plain} or a later one."
            )

    def _judge(self, head: Head, link: Link, following: Link | None) -> None:
        """Compare a row with what was hashed, under the number that it had then."""
        seq = link.seq - self.shift
        if any(link.follows(head.hash, key, seq=seq) for key in self._keys_of(link)):
            self._end_run()
        elif link.key_id is None and link.follows(head.hash, None, seq=seq):
            if not self.keys or (self.last_plain or self.beginning.seq) == head.seq:
                self.last_plain = link.seq if self.keys else 0
                self._end_run()
            else:
                self._go_on("plain", link.seq)
        elif link.key_id is not None and not self._keys_of(link):
            self._end_run()
            if link.key_id not in self.unknown_keys:
                self.unknown_keys.add(link.key_id)
                self._say(
                    f"Row {link.seq} and others were hashed with a {KEY} that is not given here (its id is "
                    f"{link.key_id}): add that key to FENCEPOST_AUDIT_FORMER_KEYS."
                )
        else:
            self._explain(head, link, following)

    def _keys_of(self, link: Link) -> tuple[bytes, ...]:
        """Return the keys that a row may have been hashed with."""
        if link.key_id is None:
            return self.keys
        return tuple(key for key in self.keys if name_key(key) == link.key_id)

    def _explain(self, head: Head, link: Link, following: Link | None) -> None:
        """Say what became of a row, as far as the row after it tells."""
        seq, before = link.seq, link.seq - self.shift
        if following is not None and following.seq == seq + 1:
            for used in (*self._keys_of(following), *((None,) if following.key_id is None else ())):
                if following.follows(link.hash, used, seq=before + 1):
                    return self._say(f"Row {seq} was changed: row {seq + 1} still continues what it was.")
                if following.follows(head.hash, used, seq=before):
                    if any(
                        link.follows(following.hash, key, seq=before + 1) for key in dict.fromkeys((used, *self.keys))
                    ):
                        self.head, self.swapped = Head(seq, following.hash), link.hash
                        return self._say(f"Row {seq} was changed: it has changed places with row {seq + 1}.")
                    self.head = Head(seq, head.hash)
                    self.shift += 1
                    return self._say(f"Row {seq} was inserted, and the rows after it renumbered.")
                for removed in range(1, MOST_RENUMBERED + 1):
                    if following.follows(link.hash, used, seq=before + 1 + removed):
                        self.shift -= removed
                        rows = _name_rows(seq, seq + removed - 1)
                        return self._say(f"{rows} removed, and the rows after it renumbered.")
        return self._go_on("unexplained", seq)

    def _go_on(self, kind: str, seq: int) -> None:
        """Note a break that the next row may share."""
        if self.run is not None and self.run[0] == kind and self.run[2] == seq - 1:
            self.run = (kind, self.run[1], seq)
            return
        self._end_run()
        self.run = (kind, seq, seq)

    def _end_run(self) -> None:
        run, self.run = self.run, None
        if run is None:
            return
        kind, first, last = run
        rows, is_one = (f"Row {first}", True) if first == last else (f"Rows {first} to {last}", False)
        was, it = ("was", "it was") if is_one else ("were", "they were")
        if kind == "plain":
            self._say(
                f"{rows} {was} hashed without {KEY}, after rows that were hashed with it: {it} inserted or written "
                "anew, or a process ran without the key."
            )
        else:
            used = f"hashed with another {KEY} or none" if self.keys else f"hashed with a {KEY}, and none is set here"
            recorded = f"{'is' if is_one else 'are'} not what was recorded after row {first - 1}"
            self._say(f"{rows} {recorded}: {it} changed or inserted, or {used}.")

    def _say(self, sentence: str) -> None:
        self._end_run()
        self.number += 1
        if len(self.breaks) < MOST_NAMED:
            self.breaks.append(sentence)


def _keys(databases: Databases) -> tuple[bytes, ...]:
    return tuple(filter(None, (databases.audit_key, *databases.former_audit_keys)))


def _find_last_cut(connection: Connection) -> _Cut | None:
    """Find what the newest row of a cut says, which is to be believed only where the chain holds it."""
    details = audit_events.c.details
    through, hashed = (func.jsonb_extract_path_text(details, name) for name in ("through", "hash"))
    query = (
        select(audit_events.c.seq, instant(audit_events.c.at).label("at"), through, hashed)
        .where(
            audit_events.c.event == Event.AUDIT_CUT.value,
            through.regexp_match(r"^[0-9]{1,18}$"),
            hashed.regexp_match("^[0-9a-f]{64}$"),
        )
        .order_by(audit_events.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _Cut(Head(int(row[2]), bytes.fromhex(row[3])), row.at, row.seq)


def _read_links(connection: Connection, through: int | None) -> Generator[Link]:
    """Read the rows in their order, from one snapshot. Text where the driver could stumble over a forged value."""
    columns = [
        instant(audit_events.c.at).label("at"),
        *(audit_events.c[name] for name in ("seq", "event", "actor", "address", "remote_address", "subject", "key_id")),
        cast(audit_events.c.details, Text).label("details"),
        audit_events.c.hash,
    ]
    query = select(*columns).order_by(audit_events.c.seq)
    if through is not None:
        query = query.where(audit_events.c.seq <= through)
    with connection.execute(query, execution_options={"yield_per": BATCH}) as rows:
        for row in rows:
            values = dict(row._mapping)
            yield Link(row.seq, bytes(values.pop("hash") or b""), values)


def _conclude(walk: _Walk) -> str:
    """Say what an unbroken chain proves, and what it does not."""
    expected, number = walk.expected, walk.head.seq - walk.beginning.seq
    events = "1 event" if number == 1 else f"{number:,} events"
    sentences = [f"The audit is one unbroken chain of {events} up to {walk.head}."]
    if walk.cut is not None:
        sentences.append(
            f"It begins after row {walk.cut.through.seq}: what was older was removed, as row {walk.cut.seq} of "
            f"{walk.cut.at} says."
        )
    if expected is None:
        sentences.append("A cut tail is found only against a head that was noted earlier: --expect SEQ:HASH.")
    if not walk.keys:
        after = "" if expected is None else f" after row {expected.seq}"
        sentences.append(
            f"Without {KEY} this does not prove that nobody who can write the table has written it anew{after}."
        )
    elif walk.last_plain:
        sentences.append(f"Row {walk.last_plain} and all before it have no {KEY}; the noted head vouches for them.")
    return " ".join(sentences)


def _name_rows(first: int, last: int) -> str:
    return f"Row {first} was" if first == last else f"Rows {first} to {last} were"
