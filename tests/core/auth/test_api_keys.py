"""API keys: their form, what is stored of them, and which are refused."""

import hashlib
import re
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.rows import dict_row
from sqlalchemy import event

from core.actor import COMMAND_LINE, KEY_SCOPES, Actor, Forbidden, Scope
from core.auth.api_keys import (
    BASE62,
    ApiKey,
    PresentedKey,
    create_key,
    find_key,
    is_key_valid,
    list_keys,
    parse_key,
    revoke_key,
    rotate_key,
)
from core.db.databases import Databases
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.jobs.filter import Category
from core.jobs.wall import Wall

READ = frozenset({Scope.JOB_READ})
TOMORROW = datetime.now(UTC) + timedelta(days=1)
DAY = timedelta(days=1)
# Somebody who manages keys and may not read jobs.
ADMIN = Actor("user:admin", Wall(None), frozenset({Scope.ADMIN_CONFIG}), address="admin@example.org")


def create(databases: Databases, **values: Any) -> str:
    """Create a key; what is not given is ordinary."""
    ordinary: dict[str, Any] = {"name": "a key", "wall": Wall("acme"), "scopes": READ, "expires_at": None}
    return create_key(databases, COMMAND_LINE, **(ordinary | values))


def find(databases: Databases, key: str) -> ApiKey | None:
    presented = parse_key(key)
    return None if presented is None else find_key(databases.ours, presented)


def base62(number: int, length: int) -> str:
    """Write a number in base62, most significant digit first."""
    return "".join(BASE62[number // 62**place % 62] for place in reversed(range(length)))


def test_a_key_has_the_form_of_the_contract(databases: Databases) -> None:
    """`fp_<key id, 12>_<secret, 43>_<CRC32, 6>` in base62; the checksum is of all that stands before it."""
    key = create(databases)

    body, checksum = key.rsplit("_", 1)
    assert re.fullmatch(r"fp_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", key)
    assert checksum == base62(zlib.crc32(body.encode()), 6)


def test_the_checksum_does_not_change_between_versions() -> None:
    """A key that was made earlier is still well-formed: the alphabet and the checksum are fixed."""
    key = f"fp_{'0' * 12}_{'z' * 43}_2pLpc9"

    checksum = base62(zlib.crc32(f"fp_{'0' * 12}_{'z' * 43}".encode()), 6)

    assert parse_key(key[:-6] + checksum) == PresentedKey("0" * 12, hashlib.sha256(b"z" * 43).digest())


def test_no_two_keys_are_alike(databases: Databases) -> None:
    """Key ids and secrets are random."""
    parts = [create(databases).split("_") for _ in range(5)]

    assert len({part[1] for part in parts}) == len({part[2] for part in parts}) == 5


def test_only_the_hash_of_the_secret_is_stored(databases: Databases, connection: psycopg.Connection) -> None:
    """The row of a key holds the SHA-256 of its secret, and the secret nowhere."""
    key = create(databases, name="nightly", scopes=frozenset(KEY_SCOPES), expires_at=TOMORROW)

    _, key_id, secret, _ = key.split("_")
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT * FROM api_keys").fetchone()
    assert row is not None
    assert row == {
        "key_id": key_id,
        "name": "nightly",
        "client_id": "acme",
        "scopes": ["admin:config", "job:read", "review:read"],
        "secret_sha256": hashlib.sha256(secret.encode()).digest(),
        "created_at": row["created_at"],
        "expires_at": TOMORROW,
        "revoked_at": None,
        "created_by": "cli",
        "replaces": None,
        "networks": None,
        "last_used_at": None,
    }
    assert secret not in str(row)


@pytest.mark.parametrize(
    ("wall", "scopes"), [(Wall("acme"), READ), (Wall(None), frozenset(KEY_SCOPES)), (Wall("it's, ok"), frozenset())]
)
def test_a_key_is_found_with_its_wall_and_scopes(databases: Databases, wall: Wall, scopes: frozenset[Scope]) -> None:
    """A valid key says whose jobs it sees and what it may do."""
    key = create(databases, wall=wall, scopes=scopes, expires_at=TOMORROW)

    assert find(databases, key) == ApiKey(key.split("_")[1], wall, scopes)


def test_a_scope_that_is_unknown_here_grants_nothing(databases: Databases, connection: psycopg.Connection) -> None:
    """A scope of a later version is left out, not an error."""
    key = create(databases)
    connection.execute("UPDATE api_keys SET scopes = '{job:write,job:read}'")

    assert find(databases, key) == ApiKey(key.split("_")[1], Wall("acme"), READ)


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE api_keys SET expires_at = now()",
        "UPDATE api_keys SET expires_at = now() - interval '1 day'",
        "UPDATE api_keys SET revoked_at = now()",
        "UPDATE api_keys SET secret_sha256 = decode(repeat('00', 32), 'hex')",
        "DELETE FROM api_keys",
    ],
    ids=["expires now", "expired", "revoked", "another secret", "unknown"],
)
def test_a_key_that_is_not_valid_is_refused_by_one_query(
    databases: Databases, connection: psycopg.Connection, spoiled: str
) -> None:
    """Expired, revoked, unknown or with another secret: each takes the same one query and ends in None."""
    key = create(databases)
    connection.execute(spoiled.encode())
    statements: list[str] = []
    event.listen(databases.ours.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    assert find(databases, key) is None
    assert len(statements) == 1


def test_a_secret_of_zeros_opens_nothing(databases: Databases) -> None:
    """An unknown key is compared with a hash of zeros, and even one that had that hash would be refused."""
    assert find_key(databases.ours, PresentedKey("0" * 12, bytes(32))) is None


VALID = f"fp_{'0' * 12}_{'z' * 43}_" + base62(zlib.crc32(f"fp_{'0' * 12}_{'z' * 43}".encode()), 6)


# Of the form of a key; to draw that by its expression takes thirty times as long.
LOOKALIKES = st.binary(min_size=61, max_size=61).map(
    lambda drawn: "fp_{}_{}_{}".format(*(spell(part) for part in (drawn[:12], drawn[12:55], drawn[55:])))
)


def spell(drawn: bytes) -> str:
    return "".join(BASE62[byte % 62] for byte in drawn)


@given(st.text(max_size=80) | LOOKALIKES)
@example("")
@example(VALID + "\n")
@example(" " + VALID)
@example("FP" + VALID[2:])
@example(VALID.replace("0", "٠"))
@example(VALID[:-1])
@example(VALID + "0")
def test_what_is_malformed_or_mistyped_costs_no_query(text: str) -> None:
    """A text that is no key, or whose checksum is wrong, is told without asking the database."""
    assert parse_key(text) is None


@given(st.integers(0, len(VALID) - 1), st.sampled_from(BASE62))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    """The checksum notices every single mistyped character."""
    mistyped = VALID[:place] + character + VALID[place + 1 :]

    assert (parse_key(mistyped) is None) == (mistyped != VALID)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": " "}, "name is empty: say what the key is for."),
        ({"name": "a\nb"}, "name contains a character that cannot be shown: remove it."),
        ({"name": "a\u202eb"}, "name contains a character that cannot be shown: remove it."),
        ({"name": "a\x9b2J"}, "name contains a character that cannot be shown: remove it."),
        ({"wall": Wall("ac\u200eme")}, "client contains a character that cannot be shown: remove it."),
        ({"name": "\udcff"}, "name contains a character that cannot be shown: remove it."),
        ({"wall": Wall("")}, "client is empty: name the client whose jobs the key sees."),
        ({"wall": Wall("\udcff")}, "client contains a character that cannot be shown: remove it."),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expires is in the past: choose a time to come."),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    databases: Databases, connection: psycopg.Connection, values: dict[str, Any], message: str
) -> None:
    """A key needs a name and, unless it is for all clients, a client; it does not expire before it exists."""
    with pytest.raises(InvalidParameter) as caught:
        create(databases, **values)

    assert str(caught.value) == message
    assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)


def test_keys_are_listed_oldest_first_without_their_hashes(databases: Databases) -> None:
    """A list of keys shows everything but the hash."""
    keys = [create(databases, name=name).split("_")[1] for name in ("first", "second")]

    rows = list_keys(databases.ours)

    assert [(row.key_id, row.name) for row in rows] == list(zip(keys, ["first", "second"], strict=True))
    assert list(rows[0]._fields) == [
        *("key_id", "name", "client_id", "scopes", "created_at", "expires_at", "revoked_at"),
        *("created_by", "replaces", "networks", "last_used_at", "state", "address"),
    ]


def test_a_revoked_key_stays_revoked(databases: Databases, connection: psycopg.Connection) -> None:
    """Revoking refuses the key at once and for good; revoking it again changes nothing, and is no event."""
    key = create(databases)
    other = create(databases)
    revoke_key(databases, COMMAND_LINE, key.split("_")[1])
    revoked_at = list_keys(databases.ours)[0].revoked_at

    revoke_key(databases, COMMAND_LINE, key.split("_")[1])

    assert revoked_at is not None
    assert list_keys(databases.ours)[0].revoked_at == revoked_at
    assert [name for name, *_ in events(connection)].count("key-revoked") == 1
    assert (find(databases, key), find(databases, other)) == (
        None,
        ApiKey(other.split("_")[1], Wall("acme"), READ),
    )


def test_revoking_an_unknown_key_says_so(databases: Databases) -> None:
    """There is no key to revoke under an unknown id."""
    with pytest.raises(NotPossible) as caught:
        revoke_key(databases, COMMAND_LINE, "000000000000")

    assert str(caught.value) == "There is no key with this id: see `python -m core keys list`."


def rotate(databases: Databases, key: str, overlap: timedelta = DAY, by: Actor = COMMAND_LINE) -> str:
    return rotate_key(databases, by, key.split("_")[1], overlap=overlap)


def events(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT event, actor, subject, details FROM audit_events ORDER BY seq").fetchall()


def test_a_rotated_key_has_a_successor_of_its_kind(databases: Databases, connection: psycopg.Connection) -> None:
    """The new key has the name, the client and the scopes of the old one, names it, and lives as long as it was to."""
    old = create(databases, name="nightly", expires_at=TOMORROW)

    new = rotate(databases, old)

    [was, now] = list_keys(databases.ours)
    assert (now.key_id, now.name, now.client_id, now.scopes, now.replaces, now.created_by) == (
        *(new.split("_")[1], "nightly", "acme", ["job:read"], was.key_id, "cli"),
    )
    assert now.expires_at - now.created_at == TOMORROW - was.created_at
    assert (find(databases, old), find(databases, new)) == (
        ApiKey(was.key_id, Wall("acme"), READ),
        ApiKey(now.key_id, Wall("acme"), READ),
    )
    assert (was.state, now.state) == ("rotating", "valid")


@pytest.mark.parametrize(
    ("expires", "overlap", "ends"),
    [
        (None, timedelta(), timedelta()),
        (None, DAY, DAY),
        (10 * DAY, DAY, DAY),
        (DAY / 2, DAY, None),
        (DAY / 2, timedelta(), timedelta()),
    ],
)
def test_the_overlap_never_lengthens_a_life(
    databases: Databases, expires: timedelta | None, overlap: timedelta, ends: timedelta | None
) -> None:
    """The old key ends after the overlap, or when it would have ended anyway (None) where that is sooner."""
    expires_at = None if expires is None else datetime.now(UTC) + expires
    old = create(databases, expires_at=expires_at)

    rotate(databases, old, overlap)

    [was, now] = list_keys(databases.ours)
    assert was.expires_at == (expires_at if ends is None else now.created_at + ends)
    assert (find(databases, old) is None) == (ends == timedelta())


def test_a_key_that_cannot_be_rotated_says_why(databases: Databases, connection: psycopg.Connection) -> None:
    """There is nothing to rotate where a key is unknown, has ended, or was replaced; no key comes of trying."""
    replaced, revoked, expired = create(databases), create(databases), create(databases)
    rotate(databases, replaced)
    revoke_key(databases, COMMAND_LINE, revoked.split("_")[1])
    connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [expired.split("_")[1]])
    said = {}

    for name, key in {"replaced": replaced, "revoked": revoked, "expired": expired, "unknown": "_x_"}.items():
        with pytest.raises(NotPossible) as caught:
            rotate(databases, key)
        said[name] = str(caught.value)

    ended = "This key has expired or is revoked: create a new one."
    assert said == {
        "replaced": "Another key has replaced this one already: rotate that one, or create a new one.",
        "revoked": ended,
        "expired": ended,
        "unknown": "There is no key with this id: see `python -m core keys list`.",
    }
    assert len(list_keys(databases.ours)) == 4


@pytest.mark.parametrize("overlap", [timedelta(microseconds=-1), timedelta(days=30, microseconds=1)])
def test_an_overlap_is_within_a_month(databases: Databases, overlap: timedelta) -> None:
    """An overlap that is negative or so long that it is none is refused."""
    with pytest.raises(InvalidParameter) as caught:
        rotate(databases, create(databases), overlap)

    assert str(caught.value) == "overlap is between 0 and 30 days: choose another."


def test_nobody_gives_away_by_a_key_what_is_not_theirs(databases: Databases) -> None:
    """A scope that one lacks can be given neither to a new key nor, by rotating one that has it, to oneself."""
    key = create(databases)

    acts: list[Callable[[], str]] = [
        lambda: create_key(databases, ADMIN, name="x", wall=Wall(None), scopes=READ, expires_at=None),
        lambda: rotate(databases, key, by=ADMIN),
    ]
    for act in acts:
        with pytest.raises(Forbidden) as caught:
            act()
        assert str(caught.value) == "You cannot give a key the scope job:read, which you do not have: leave it out."
    walled = Actor("user:x", Wall("acme"), frozenset(Scope))
    with pytest.raises(Forbidden) as caught:
        create_key(databases, walled, name="x", wall=Wall(None), scopes=READ, expires_at=None)
    assert str(caught.value) == "You cannot make a key for another client: name your own."
    # A key exports, with all texts: that takes both rights.
    for scopes, wall, sentence in (
        ({Scope.JOB_READ, Scope.ADMIN_CONFIG}, Wall(None), "You cannot give a key the scope job:read"),
        (frozenset(Scope), Wall(None, withheld=[Category.UNDERAGE]), "A key exports texts that you may not see"),
    ):
        with pytest.raises(Forbidden, match=sentence):
            create_key(
                *(databases, Actor("user:y", wall, frozenset(scopes))),
                name="x",
                wall=Wall(None),
                scopes=READ,
                expires_at=None,
            )
    assert [row.key_id for row in list_keys(databases.ours)] == [key.split("_")[1]]


def test_keys_are_an_admins_business(databases: Databases) -> None:
    """Who lacks `admin:config` neither makes nor ends keys, whatever else they may do."""
    key = create(databases)
    staff = Actor("user:staff", Wall(None), READ)

    acts: list[Callable[[], object]] = [
        lambda: create_key(databases, staff, name="x", wall=Wall(None), scopes=READ, expires_at=None),
        lambda: rotate(databases, key, by=staff),
        lambda: revoke_key(databases, staff, key.split("_")[1]),
    ]
    for act in acts:
        with pytest.raises(Forbidden) as caught:
            act()
        assert str(caught.value) == "Keys are made and ended with the scope admin:config: ask for it."
    assert [(row.key_id, row.state) for row in list_keys(databases.ours)] == [(key.split("_")[1], "valid")]


def test_an_admin_who_cannot_read_jobs_still_revokes(databases: Databases) -> None:
    """To end a key one needs none of its scopes."""
    key = create(databases)

    revoke_key(databases, ADMIN, key.split("_")[1])

    assert find(databases, key) is None


def test_the_life_of_a_key_is_in_the_audit(databases: Databases, connection: psycopg.Connection) -> None:
    """Creating, rotating and revoking leave an event each, with who did it; none holds a secret."""
    old = create(databases, name="nightly")
    new = rotate(databases, old)
    revoke_key(databases, ADMIN, new.split("_")[1])

    old_id, new_id = (key.split("_")[1] for key in (old, new))
    found = events(connection)
    assert found == [
        ("key-created", "cli", old_id, {"name": "nightly", "client_id": "acme", "scopes": ["job:read"]}),
        ("key-rotated", "cli", old_id, {"replaced_by": new_id, "overlap_seconds": 86_400}),
        ("key-revoked", "user:admin", new_id, {}),
    ]
    assert old.split("_")[2] not in str(found)
    assert new.split("_")[2] not in str(found)


def test_what_is_not_in_the_audit_was_not_done(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the event cannot be written, there is no new key, and the old one is as it was."""
    key = create(databases)
    connection.execute("ALTER TABLE audit_events RENAME TO elsewhere")

    acts: list[Callable[[], object]] = [
        lambda: create(databases),
        lambda: rotate(databases, key, timedelta()),
        lambda: revoke_key(databases, COMMAND_LINE, key.split("_")[1]),
    ]
    for act in acts:
        with pytest.raises(DatabaseUnavailable):
            act()

    assert [(row.key_id, row.state) for row in list_keys(databases.ours)] == [(key.split("_")[1], "valid")]


def test_two_rotations_at_once_make_one_key(databases: Databases) -> None:
    """Of two who rotate the same key at the same moment, one gets the new key."""
    key = create(databases)

    def attempt() -> bool:
        try:
            rotate(databases, key)
        except NotPossible:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: attempt(), range(8)))

    assert done.count(True) == 1
    assert [row.state for row in list_keys(databases.ours)] == ["rotating", "valid"]


@pytest.mark.parametrize(
    ("spoiled", "valid"),
    [
        ("SELECT", True),
        ("UPDATE api_keys SET expires_at = now() + interval '1 hour'", True),
        ("UPDATE api_keys SET expires_at = now()", False),
        ("UPDATE api_keys SET revoked_at = now()", False),
        ("DELETE FROM api_keys", False),
    ],
)
def test_a_running_export_asks_whether_its_key_still_opens(
    databases: Databases, connection: psycopg.Connection, spoiled: str, valid: bool
) -> None:
    """One query by the key's id tells whether it is known, not revoked and not expired."""
    key = create(databases)
    connection.execute(spoiled.encode())

    assert is_key_valid(databases.ours, key.split("_")[1]) is valid


def test_a_key_keeps_its_networks(databases: Databases, connection: psycopg.Connection) -> None:
    """They are recorded, and the key that takes its place has the same."""
    key = create(databases, networks=["192.0.2.0/24"])
    presented = parse_key(key)
    assert presented is not None

    successor = rotate_key(databases, COMMAND_LINE, presented.key_id, overlap=DAY)

    for each in (key, successor):
        found = find(databases, each)
        assert found is not None
        assert (found.opens_from("192.0.2.1"), found.opens_from("192.0.3.1")) == (True, False)
    details = connection.execute("SELECT details->'networks' FROM audit_events WHERE event = 'key-created'").fetchall()
    assert details == [(["192.0.2.0/24"],)]


def test_keys_must_expire_where_it_is_said(databases: Databases, connection: psycopg.Connection) -> None:
    """Neither a new key nor one that takes another's place lives longer than allowed."""
    month = timedelta(days=30)
    for expires_at in (None, datetime.now(UTC) + timedelta(days=32)):
        with pytest.raises(InvalidParameter, match="expires is at most 30 days from now here"):
            create(databases, expires_at=expires_at, longest=month)
    create(databases, expires_at=datetime.now(UTC) + month, longest=month)
    for_good = parse_key(create(databases))
    assert for_good is not None

    rotate_key(databases, COMMAND_LINE, for_good.key_id, overlap=DAY, longest=month)

    lives = "SELECT expires_at <= now() + interval '30 days' FROM api_keys ORDER BY created_at"
    assert connection.execute(lives).fetchall() == [(True,)] * 3
