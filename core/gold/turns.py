"""Turns: a settled job that was given to a person, and the verdict that they gave instead of a review."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, and_, exists, func, insert, select, update

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs, samples
from core.errors import InvalidParameter
from core.gold.tables import gold_answers, gold_settings, gold_turns
from core.jobs.filter import DateRange
from core.jobs.wall import of_clients

# How long a person's verdicts on a job that was given so are no reviews.
LENGTH = timedelta(hours=12)

# How long a person is not given what they have judged.
REST = timedelta(days=30)

# More would be an examination.
HIGHEST_RATE = 0.5

_is_active = and_(gold_turns.c.ended_at.is_(None), gold_turns.c.given_at > func.now() - LENGTH)
_as_review = (
    *(gold_turns.c.turn_id, gold_turns.c.should_reject, gold_turns.c.act_id, gold_turns.c.job_id),
    *(gold_turns.c.verdict, gold_turns.c.categories, gold_turns.c.note, gold_turns.c.saw_text),
    gold_turns.c.judged_at.label("reviewed_at"),
)


def read_rate(database: Database) -> float:
    """Return which share of the jobs that people are given are settled ones."""
    with database.transaction() as connection:
        return float(connection.execute(select(gold_settings.c.rate)).scalar_one())


def set_rate(databases: Databases, by: Actor, rate: float) -> None:
    """Set that share, 0 for none, with its event. Raises `Forbidden`, and `InvalidParameter` where it is none."""
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"This is set with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")
    if not 0 <= rate <= HIGHEST_RATE:
        raise InvalidParameter(f"The share is not between 0 and {HIGHEST_RATE:.0%}: choose another.")
    with databases.ours.transaction() as connection:
        connection.execute(update(gold_settings).values(rate=round(rate, 3)))
        details = {"per_mille": round(rate * 1000)}
        append(connection, databases.audit_key, Event.KNOWN_SHARE_SET, by, details=details)


def list_known(database: Database, by: Actor, bounds: DateRange, client_id: str | None, *, limit: int) -> list[UUID]:
    """List some settled jobs of a range by chance, without those that the person has judged lately.

    Nor those of samples that are not finished: there each verdict is an opinion.
    """
    lately = func.now() - REST
    judged = exists().where(
        reviews.c.job_id == gold_answers.c.job_id, reviews.c.person == by.name, reviews.c.reviewed_at > lately
    )
    given = exists().where(
        gold_turns.c.job_id == gold_answers.c.job_id, gold_turns.c.person == by.name, gold_turns.c.given_at > lately
    )
    drawn = exists().where(
        sample_jobs.c.job_id == gold_answers.c.job_id,
        samples.c.sample_id == sample_jobs.c.sample_id,
        samples.c.finished_at.is_(None),
    )
    query = (
        select(gold_answers.c.job_id)
        .where(
            gold_answers.c.should_reject.is_not(None),
            gold_answers.c.job_created_at >= bounds.start,
            gold_answers.c.job_created_at < bounds.end,
            *of_clients(gold_answers.c.client_id, by.wall, client_id),
            *(~judged, ~given, ~drawn),
        )
        .order_by(func.random())
        .limit(limit)
    )
    with database.transaction() as connection:
        return list(connection.execute(query).scalars())


def begin_turn(database: Database, by: Actor, job_id: UUID) -> bool:
    """Let a person's verdict on a job be no review; False where its answer is not settled any more."""
    answer = select(gold_answers.c.should_reject).where(
        gold_answers.c.job_id == job_id, gold_answers.c.should_reject.is_not(None)
    )
    with database.transaction() as connection:
        should_reject = connection.execute(answer).scalar_one_or_none()
        if should_reject is None:
            return False
        connection.execute(insert(gold_turns).values(person=by.name, job_id=job_id, should_reject=should_reject))
    return True


def end_turns(database: Database, by: Actor, job_id: UUID) -> None:
    """Let a person's verdicts on a job be reviews from now on: it is given to them as any other."""
    mine = and_(gold_turns.c.person == by.name, gold_turns.c.job_id == job_id, _is_active)
    with database.transaction() as connection:
        connection.execute(update(gold_turns).where(mine).values(ended_at=func.clock_timestamp()))


def find_turn(connection: Connection, person: Actor, job_id: UUID) -> Row[Any] | None:
    """Return the turn of a person on a job, named as a review is, or None where their verdicts are reviews."""
    query: Select[Any] = select(*_as_review).where(
        gold_turns.c.person == person.name, gold_turns.c.job_id == job_id, _is_active
    )
    return connection.execute(query.order_by(gold_turns.c.turn_id.desc()).limit(1)).one_or_none()


def is_known(database: Database, person: Actor, job_id: UUID) -> bool:
    """Tell whether a job was given to a person because its answer is settled."""
    with database.transaction() as connection:
        return find_turn(connection, person, job_id) is not None


def note_verdict(connection: Connection, turn: Row[Any], would_reject: bool | None, values: dict[str, Any]) -> None:
    """Note what somebody says; `would_reject` None: they are not sure."""
    kept = {name: values[name] for name in ("act_id", "verdict", "categories", "note", "saw_text")}
    is_right = None if would_reject is None else would_reject == turn.should_reject
    said = update(gold_turns).where(gold_turns.c.turn_id == turn.turn_id)
    connection.execute(said.values(kept | {"is_right": is_right, "judged_at": func.clock_timestamp()}))


def take_back_turn(connection: Connection, by: Actor, act_id: UUID) -> Sequence[Row[Any]]:
    """Take back what somebody has said in an act; return its job and note."""
    mine = and_(gold_turns.c.act_id == act_id, gold_turns.c.person == by.name, _is_active)
    nothing = dict.fromkeys(("act_id", "verdict", "categories", "saw_text", "is_right", "judged_at"))
    taken = update(gold_turns).where(mine).values(nothing).returning(gold_turns.c.job_id, gold_turns.c.note)
    return connection.execute(taken).all()
