"""Rights that admins give: to whom, for which clients, and what becomes of several that mean the same person."""

from collections.abc import Iterable
from typing import Any

import psycopg
import pytest

from core.actor import COMMAND_LINE, STAFF_SCOPES, Actor, Forbidden, Scope
from core.auth.people import list_people
from core.auth.rights import NO_RIGHTS, Holder, Kind, Rights, give_rights, list_rights, parse_holder, take_rights
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.jobs.filter import Category
from core.jobs.wall import Wall
from tests.core.auth.conftest import Entrance, claims_of, come_in

READ, EXPORT, REVIEW, REVEAL, ADMIN = (
    *(Scope.JOB_READ, Scope.JOB_EXPORT, Scope.JOB_REVIEW, Scope.JOB_REVEAL),
    Scope.ADMIN_CONFIG,
)
UNDERAGE = frozenset({Category.UNDERAGE})


@pytest.fixture
def database_url(shared_url: str) -> str:
    """One database for all of these tests, without people and rights for each."""
    with psycopg.connect(shared_url) as emptying:
        emptying.execute("TRUNCATE rights, sessions, people, noted_reasons")
    return shared_url


def give(databases: Databases, who: str, scopes: Iterable[Scope], *clients: str, **more: Any) -> None:
    """Give rights to an address, a domain, or where it begins with `group ` to a group; without clients for all."""
    is_group = who.startswith("group ")
    holder = parse_holder(who.removeprefix("group "), is_group=is_group, provider=more.pop("provider", ""))
    give_rights(databases, COMMAND_LINE, holder, Rights(frozenset(scopes), frozenset(clients) or None), **more)


def enter(entrance: Entrance, address: str, *, groups: object = None, **settings: Any) -> Actor | None:
    door = entrance.door(groups_claim="groups", **settings)
    return come_in(door, claims_of(address, groups=groups)).actor


def test_without_rights_the_lists_alone_decide(entrance: Entrance) -> None:
    """Who is on a list has what they always had, for all clients and all texts; others have nothing."""
    lists = {"staff": "staff@ex.org", "admins": "admin@ex.org"}

    staff, admin = enter(entrance, "staff@ex.org", **lists), enter(entrance, "admin@ex.org", **lists)

    assert staff is not None
    assert admin is not None
    assert (set(staff.scopes), staff.wall) == (set(STAFF_SCOPES), Wall(None))
    assert (set(admin.scopes), admin.wall) == ({ADMIN}, Wall(None))
    assert enter(entrance, "other@ex.org", **lists) is None


@pytest.mark.parametrize(
    ("given", "groups", "scopes", "wall"),
    [
        ({"a@ex.org": ({READ}, "x")}, [], {READ}, Wall("x", withheld=UNDERAGE)),
        ({"a@ex.org": ({READ, REVEAL}, "x", "y")}, [], {READ, REVEAL}, Wall("x", "y")),
        # Whoever may do anything with jobs may read them.
        ({"@ex.org": ({REVIEW},)}, [], {READ, REVIEW}, Wall(None, withheld=UNDERAGE)),
        ({"group ops": ({ADMIN},)}, ["ops"], {ADMIN}, Wall(None)),
        ({"group ops": ({ADMIN},)}, "ops", {ADMIN}, Wall(None)),
        # Of what is given the nearest counts alone.
        ({"@ex.org": (STAFF_SCOPES,), "a@ex.org": ({READ}, "x")}, [], {READ}, Wall("x", withheld=UNDERAGE)),
        (
            {"@ex.org": (STAFF_SCOPES,), "group g": ({READ, REVEAL}, "x"), "b@ex.org": ({ADMIN},)},
            ["g"],
            {READ, REVEAL},
            Wall("x"),
        ),
        # Two groups give no more together than either does.
        (
            {"group g": ({READ, REVEAL}, "x", "y"), "group h": ({READ, REVEAL, EXPORT}, "x")},
            ["g", "h"],
            {READ, REVEAL},
            Wall("x", "y"),
        ),
        (
            {"group g": ({READ, REVIEW}, "x"), "group h": ({READ, REVIEW}, "y"), "group i": ({ADMIN},)},
            ["g", "h", "i"],
            {ADMIN},
            Wall(None),
        ),
        ({"group g": (STAFF_SCOPES,)}, ["G", "gg", 7, None, "g\0"], None, None),
        ({"@org": (STAFF_SCOPES,), "aa@ex.org": (STAFF_SCOPES,), "group @ex.org": (STAFF_SCOPES,)}, [], None, None),
    ],
)
def test_what_is_given_counts_at_the_next_step(
    entrance: Entrance,
    databases: Databases,
    given: dict[str, tuple[Any, ...]],
    groups: object,
    scopes: set[Scope] | None,
    wall: Wall | None,
) -> None:
    """A person's own rights count before those of their groups, and these before those of their domain."""
    for who, (what, *clients) in given.items():
        give(databases, who, what, *clients)

    actor = enter(entrance, "a@ex.org", groups=groups)

    found = None if actor is None else (set(actor.scopes), actor.wall)
    assert found == (None if wall is None else (scopes, wall))


def test_nothing_given_takes_from_the_settings(entrance: Entrance, databases: Databases) -> None:
    """Who is on a list can't be narrowed by what is given, and gets what is given beside it."""
    give(databases, "a@ex.org", {READ}, "x")
    give(databases, "b@ex.org", {READ}, "x")

    staff = enter(entrance, "a@ex.org", staff="a@ex.org")
    admin = enter(entrance, "b@ex.org", admins="b@ex.org")

    assert staff is not None
    assert admin is not None
    assert (set(staff.scopes), staff.wall) == (set(STAFF_SCOPES), Wall(None))
    assert (set(admin.scopes), admin.wall) == ({ADMIN, READ}, Wall("x", withheld=UNDERAGE))


def test_an_address_that_is_not_verified_gets_nothing(entrance: Entrance, databases: Databases) -> None:
    """Neither its own rights nor those of its groups."""
    give(databases, "a@ex.org", {READ})
    give(databases, "group g", {READ})

    claims = claims_of("a@ex.org", email_verified=False, groups=["g"])

    assert come_in(entrance.door(groups_claim="groups"), claims).actor is None


def test_with_several_providers_each_right_names_its_own(entrance: Entrance, databases: Databases) -> None:
    """What was given without a provider means nobody then, and an address is another one elsewhere."""
    providers = ("google", "microsoft")
    give(databases, "a@ex.org", {READ})
    give(databases, "google:b@ex.org", {READ})
    give(databases, "group g", {READ}, provider="google")
    door = entrance.door(*providers, groups_claim="groups")

    def scopes(address: str, provider: str, **claims: Any) -> set[Scope]:
        return entrance.scopes(door, address, provider=provider, **claims)

    assert scopes("a@ex.org", "google") == set()
    assert [scopes("b@ex.org", provider) for provider in providers] == [{READ}, set()]
    assert [scopes("c@ex.org", provider, groups=["g"]) for provider in providers] == [{READ}, set()]
    with pytest.raises(InvalidParameter, match="write google: in front"):
        give(databases, "d@ex.org", {READ}, providers=providers)


def test_what_changes_is_in_force_for_open_sessions(entrance: Entrance, databases: Databases) -> None:
    """A session is looked up at each step: what was given, changed or taken meanwhile counts, and marks of reasons."""
    door = entrance.door()
    door.sign_in("a" * 64, claims_of("a@ex.org"), "default")

    def look() -> tuple[set[Scope], Wall] | None:
        actor = door.recognise("a" * 64)
        return None if actor is None else (set(actor.scopes), actor.wall)

    seen = [look()]
    give(databases, "a@ex.org", {READ}, "x")
    seen.append(look())
    with databases.ours.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO noted_reasons (reason, is_underage) VALUES ('marked', true)")
    seen.append(look())
    give(databases, "a@ex.org", {READ, EXPORT, REVEAL})
    seen.append(look())
    take_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "a@ex.org"))
    seen.append(look())

    assert seen == [
        None,
        ({READ}, Wall("x", withheld=UNDERAGE)),
        ({READ}, Wall("x", withheld=UNDERAGE, withheld_reasons=["marked"])),
        ({READ, EXPORT, REVEAL}, Wall(None)),
        None,
    ]


def test_an_operator_chooses_what_is_withheld(entrance: Entrance, databases: Databases) -> None:
    """FENCEPOST_WITHHELD names the categories whose texts need a right of their own."""
    give(databases, "a@ex.org", {READ})

    actor = enter(entrance, "a@ex.org", withheld="nsfw, underage")

    assert actor is not None
    assert actor.wall == Wall(None, withheld={Category.NSFW, Category.UNDERAGE})


def test_every_change_is_in_the_audit(databases: Databases, connection: psycopg.Connection) -> None:
    """Who gave what to whom, and took it; a refusal changes nothing."""
    give(databases, "A@Ex.org", {READ}, "y", "x")
    give(databases, "group Ops team", {ADMIN})
    take_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "a@ex.org"))

    with pytest.raises(NotPossible, match="open the list anew"):
        take_rights(databases, COMMAND_LINE, Holder(Kind.PERSON, "a@ex.org"))

    last = "SELECT event, actor, subject, details FROM audit_events ORDER BY seq DESC LIMIT 3"
    assert connection.execute(last).fetchall()[::-1] == [
        ("rights-given", "cli", "a@ex.org", {"scopes": ["job:read"], "clients": ["x", "y"]}),
        ("rights-given", "cli", "group Ops team", {"scopes": ["admin:config"], "clients": None}),
        ("rights-taken", "cli", "a@ex.org", {"scopes": ["job:read"]}),
    ]
    listed = [(row.kind, row.name, row.scopes, row.clients) for row in list_rights(databases, COMMAND_LINE)]
    assert listed == [("group", "Ops team", ["admin:config"], None)]


@pytest.mark.parametrize(
    ("scopes", "clients", "message"),
    [
        ([], [], "They may do nothing"),
        ([Scope.REVIEW_READ], [], "They may do nothing"),
        ([READ, Scope.REVIEW_READ], [], "review:read is for keys"),
        ([READ, EXPORT], [], "An export holds all texts"),
        ([READ, ADMIN], ["x"], "An admin is one for all clients"),
        ([READ], [" "], "clients are none"),
        ([READ], [f"client {number}" for number in range(501)], "more than 500"),
        ([READ], ["a\u202eb"], "client"),
    ],
)
def test_what_makes_no_sense_is_refused(
    databases: Databases, scopes: list[Scope], clients: list[str], message: str
) -> None:
    """A sentence says what is wrong, and nothing was given."""
    with pytest.raises(InvalidParameter, match=message):
        give(databases, "a@ex.org", scopes, *clients)

    assert list_rights(databases, COMMAND_LINE) == []


@pytest.mark.parametrize("text", ["", "a", "a@", "@", "a b@ex.org", "a@b@c", "x" * 201 + "@ex.org", "a@ex.org\u202e"])
def test_who_is_meant_must_be_somebody(text: str) -> None:
    """What is no address and no domain is refused, as in the settings."""
    with pytest.raises(InvalidParameter):
        parse_holder(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 201, "a\0b", "a\u202eb"])
def test_a_group_must_have_a_name(text: str) -> None:
    """A group may be called anything that can be seen; why not is said of the group."""
    with pytest.raises(InvalidParameter, match=r"^group "):
        parse_holder(text, is_group=True)


def test_nobody_takes_their_own_right_to_give_rights(entrance: Entrance, databases: Databases) -> None:
    """An admin by what was given changes and takes anything but what makes them one; by the settings, that too."""
    give(databases, "a@ex.org", {ADMIN})
    door = entrance.door(admins="b@ex.org")
    given, listed = (come_in(door, claims_of(address)).actor for address in ("a@ex.org", "b@ex.org"))
    assert given is not None
    assert listed is not None
    own = Holder(Kind.PERSON, "a@ex.org")

    with pytest.raises(NotPossible, match="your own right"):
        take_rights(databases, given, own, stays_admin=door.stays_admin)
    with pytest.raises(NotPossible, match="your own right"):
        give_rights(databases, given, own, Rights(frozenset({READ}), None), stays_admin=door.stays_admin)
    give_rights(databases, given, own, Rights(frozenset({READ, ADMIN}), None), stays_admin=door.stays_admin)
    give_rights(
        databases,
        listed,
        Holder(Kind.PERSON, "b@ex.org"),
        Rights(frozenset({READ}), None),
        stays_admin=door.stays_admin,
    )
    take_rights(databases, listed, own, stays_admin=door.stays_admin)

    assert [row.name for row in list_rights(databases, COMMAND_LINE)] == ["b@ex.org"]


def test_only_admins_give_take_and_list(databases: Databases) -> None:
    """Nobody else may, whatever they may do with jobs."""
    reader = Actor("user:x", Wall(None), STAFF_SCOPES)
    holder = Holder(Kind.PERSON, "x@ex.org")

    with pytest.raises(Forbidden):
        give_rights(databases, reader, holder, Rights(frozenset({ADMIN}), None))
    with pytest.raises(Forbidden):
        take_rights(databases, reader, holder)
    with pytest.raises(Forbidden):
        list_rights(databases, reader)
    with pytest.raises(Forbidden):
        list_people(databases, reader, None)


def test_groups_are_those_of_the_last_sign_in(entrance: Entrance, databases: Databases) -> None:
    """What the provider said is kept with the session, and read from the claim that the setting names alone."""
    give(databases, "group g", {READ})
    door = entrance.door(groups_claim="groups")

    first = come_in(door, claims_of("a@ex.org", groups=["g", "g", "h"], roles=["g"]))
    second = come_in(door, claims_of("b@ex.org", groups=["h"], roles=["g"]))
    unnamed = come_in(entrance.door(), claims_of("c@ex.org", groups=["g"]))

    assert [visit.actor is not None for visit in (first, second, unnamed)] == [True, False, False]
    seen = {visitor.address: (visitor.groups, visitor.held) for visitor in list_people(databases, COMMAND_LINE, door)}
    assert seen == {
        "a@ex.org": (("g", "h"), Rights(frozenset({READ}), None)),
        "b@ex.org": (("h",), NO_RIGHTS),
        "c@ex.org": ((), NO_RIGHTS),
    }


def test_people_are_listed_with_what_they_hold_and_when_they_came(
    entrance: Entrance, databases: Databases, connection: psycopg.Connection
) -> None:
    """Those who were seen last come first; a second sign-in makes nobody a second person."""
    give(databases, "@ex.org", {READ}, "x")
    door = entrance.door(admins="boss@ex.org")
    for address in ("boss@ex.org", "a@ex.org", "stranger@elsewhere.org", "boss@ex.org"):
        come_in(door, claims_of(address))
    connection.execute("UPDATE people SET came_at = '2026-01-01Z' WHERE address = 'boss@ex.org'")
    connection.execute("UPDATE sessions SET last_seen_at = now() + interval '1 hour' WHERE address = 'a@ex.org'")

    found = list_people(databases, COMMAND_LINE, door)

    assert [(each.address, set(each.held.scopes), each.held.clients) for each in found] == [
        ("a@ex.org", {READ}, frozenset({"x"})),
        ("boss@ex.org", {ADMIN, READ}, frozenset({"x"})),
        ("stranger@elsewhere.org", set(), frozenset()),
    ]
    assert found[1].came_at.year == 2026
    assert all(each.seen_at >= each.came_at for each in found)
