"""Holds: jobs that nobody may erase for now, with a reason; meanwhile no evidence is forgotten by its age, either."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Column, Connection, DateTime, Row, Table, Text, Uuid, func, insert, select, text, update

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.characters import check_shown
from core.db.databases import Databases
from core.db.schema import ours, people
from core.errors import InvalidParameter, NotPossible
from core.instants import print_instant

# Jobs that nobody may erase for now: those of which all is true that is not null. `created_*` is a range of created_at.
holds = Table(
    "holds",
    ours,
    Column("hold_id", Uuid, primary_key=True),
    Column("client_id", Text),
    Column("job_id", Uuid),
    Column("created_from", DateTime(timezone=True)),
    Column("created_to", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("ended_by", Text),
    Column("ended_at", DateTime(timezone=True)),
)

# Characters.
LONGEST_REASON = 500

# Who places a hold and who erases, or removes evidence for its age, wait for each other.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost holds', 0))")


@dataclass(frozen=True, slots=True)
class Held:
    """What a hold keeps: the jobs of which all that is given is true.

    `created_from` (inclusive) and `created_to` (exclusive) bound their times; both are given or neither.
    """

    client_id: str | None = None
    job_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def place_hold(
    databases: Databases, by: Actor, held: Held, reason: str, *, hand_over: Callable[[UUID], None] | None = None
) -> UUID:
    """Place a hold, with its event; return its id. Where `hand_over` fails to give that away, there is no hold.

    Raises `Forbidden`, and `InvalidParameter` where it holds nothing, or says no why.
    """
    _check_admin(by)
    if held == Held():
        raise InvalidParameter("Say what is held: a client, a job, or a time.")
    if held.client_id is not None and not held.client_id.strip():
        raise InvalidParameter("client is empty: name the client whose jobs are held.")
    if (held.created_from is None) != (held.created_to is None):
        raise InvalidParameter("A time that is held has a beginning and an end: give both, or neither.")
    if held.created_from is not None and held.created_to is not None and held.created_from >= held.created_to:
        raise InvalidParameter("The time that is held ends before it begins: correct it.")
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise InvalidParameter(f"Say why these jobs are held, in 1 to {LONGEST_REASON} characters.")
    check_shown("reason", reason)
    hold_id = uuid4()
    values = asdict(held) | {"reason": reason}
    if hand_over is not None:
        # Before anything is locked: nobody else waits while a terminal stands still.
        hand_over(hold_id)
    with databases.ours.transaction() as connection:
        connection.execute(_LOCK)
        connection.execute(insert(holds).values(hold_id=hold_id, placed_by=by.name, **values))
        details = _details(held) | {"reason": reason}
        append(connection, databases.audit_key, Event.HOLD_PLACED, by, subject=str(hold_id), details=details)
    return hold_id


def end_hold(databases: Databases, by: Actor, hold_id: UUID) -> None:
    """End a hold, with its event. Raises `Forbidden`, and `NotPossible` where none of this id is in force."""
    _check_admin(by)
    with databases.ours.transaction() as connection:
        ended = connection.execute(
            update(holds)
            .where(holds.c.hold_id == hold_id, holds.c.ended_at.is_(None))
            .values(ended_by=by.name, ended_at=func.now())
        )
        if not ended.rowcount:
            raise NotPossible("No hold with this id is in force: list the holds.")
        append(connection, databases.audit_key, Event.HOLD_ENDED, by, subject=str(hold_id))


def list_holds(databases: Databases, *, ended: bool = False) -> list[Row[Any]]:
    """List the holds that are in force, or all of them, the oldest first, each with the `address` of who placed it."""
    placed = holds.outerjoin(people, people.c.person == holds.c.placed_by)
    query = select(holds, people.c.address).select_from(placed).order_by(holds.c.placed_at, holds.c.hold_id)
    with databases.ours.transaction() as connection:
        return list(connection.execute(query if ended else query.where(holds.c.ended_at.is_(None))))


def lock_and_find_holds(connection: Connection) -> bool:
    """Let no hold be placed before the transaction has ended; return whether there is one."""
    connection.execute(_LOCK)
    return connection.execute(select(holds.c.hold_id).where(holds.c.ended_at.is_(None)).limit(1)).first() is not None


def refuse_held(
    connection: Connection, condition: str, parameters: dict[str, object], *, tables: dict[str, str]
) -> None:
    """Raise `NotPossible` where a hold keeps one of some jobs, and let none be placed before the transaction has ended.

    `condition` says in SQL which jobs, in each of `tables`; these name the column of the job's time.
    """
    connection.execute(_LOCK)
    in_force = select(holds).where(holds.c.ended_at.is_(None)).order_by(holds.c.placed_at)
    # One by one, because jobs that are distributed cannot be joined with holds.
    for hold in connection.execute(in_force).all():
        kept = Held(hold.client_id, hold.job_id, hold.created_from, hold.created_to)
        if any(_keeps(connection, kept, condition, parameters, table, time) for table, time in tables.items()):
            raise NotPossible(
                f"The hold {hold.hold_id} keeps this ({hold.reason}): end it first, where it is no longer needed."
            )


def _keeps(
    connection: Connection, held: Held, condition: str, parameters: dict[str, object], table: str, time: str
) -> bool:
    """Tell whether a hold keeps one of the jobs of a table."""
    bounds = {
        "client_id": "job.client_id = :held_client_id",
        "job_id": "job.job_id = :held_job_id",
        "created_from": f"job.{time} >= :held_created_from",
        "created_to": f"job.{time} < :held_created_to",
    }
    given = {name: value for name, value in asdict(held).items() if value is not None}
    conditions = " AND ".join([condition, *(bounds[name] for name in given)])
    query = text(f"SELECT 1 FROM {table} AS job WHERE {conditions} LIMIT 1")
    return connection.execute(query, parameters | {f"held_{name}": given[name] for name in given}).first() is not None


def _check_admin(by: Actor) -> None:
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"Holds are placed and ended with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")


def _details(held: Held) -> dict[str, str]:
    names = {"client_id": "client", "job_id": "job", "created_from": "from", "created_to": "to"}
    given = {names[name]: value for name, value in asdict(held).items() if value is not None}
    return {name: print_instant(value) if isinstance(value, datetime) else str(value) for name, value in given.items()}
