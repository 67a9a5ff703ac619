"""The wall: whose jobs may be seen, the clients that stand behind it, and whose texts are withheld altogether."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, false, func, literal, or_, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import jobs, moderation_logs
from core.db.topology import IsOnOneNode, no_row, topology_of
from core.jobs.filter import Category


@dataclass(frozen=True, slots=True, init=False)
class Wall:
    """Whose jobs may be seen: of all clients by `Wall(None)`, of some by `Wall("a", "b")`, of nobody by `Wall()`.

    `withheld`: texts of jobs that bear one of these categories are never told, nor those of jobs with one of
    `withheld_reasons`: not by a reveal, not by a search.
    """

    # None: all.
    clients: frozenset[str] | None
    withheld: frozenset[Category]
    withheld_reasons: frozenset[str]

    def __init__(
        self, *clients: str | None, withheld: Iterable[Category] = (), withheld_reasons: Iterable[str] = ()
    ) -> None:
        some = frozenset(each for each in clients if each is not None)
        object.__setattr__(self, "clients", None if None in clients else some)
        object.__setattr__(self, "withheld", frozenset(withheld))
        object.__setattr__(self, "withheld_reasons", frozenset(withheld_reasons))

    @property
    def sees_all(self) -> bool:
        """Whether the jobs of all clients may be seen."""
        return self.clients is None

    @property
    def only(self) -> str | None:
        """The client whose jobs alone may be seen; None where there are several, or none."""
        return next(iter(self.clients)) if self.clients is not None and len(self.clients) == 1 else None

    def allows(self, client_id: str) -> bool:
        """Tell whether a client's jobs may be seen."""
        return self.clients is None or client_id in self.clients

    def holds(self, other: "Wall") -> bool:
        """Tell whether whatever may be seen behind another wall may be seen behind this one."""
        if self.clients is not None and (other.clients is None or not other.clients <= self.clients):
            return False
        return self.withheld <= other.withheld and self.withheld_reasons <= other.withheld_reasons

    def narrow(self, client_id: str | None) -> list[str] | None:
        """List the clients that are left of a wish for one (None: for all), or None where all are."""
        if client_id is not None:
            return [client_id] if self.allows(client_id) else []
        return None if self.clients is None else sorted(self.clients)


def of_clients(column: ColumnElement[Any], wall: Wall, client_id: str | None = None) -> list[ColumnElement[bool]]:
    """List the conditions under which a row, whose client stands in `column`, may be seen and is of `client_id`.

    The one place where the wall's condition is written.
    """
    wanted = wall.narrow(client_id)
    if wanted is None:
        return []
    if not wanted:
        return no_row(column)
    return [column == wanted[0] if len(wanted) == 1 else column.in_(wanted)]


def is_told(wall: Wall) -> ColumnElement[bool]:
    """Build the condition under which a job's texts are told behind the wall.

    It asks for the latest log by itself, so that it can stand in any query of jobs.
    """
    conditions: list[ColumnElement[bool]] = []
    if wall.withheld:
        bears = or_(false(), *(moderation_logs.c[category.column] for category in sorted(wall.withheld)))
        latest = (
            select(func.coalesce(bears, false()))
            .where(moderation_logs.c.job_id == jobs.c.job_id, IsOnOneNode())
            .order_by(moderation_logs.c.created_at.desc(), moderation_logs.c.log_id.desc())
            .limit(1)
            .correlate(jobs)
            .scalar_subquery()
        )
        conditions.append(func.coalesce(latest, false()) == false())
    if wall.withheld_reasons:
        marked = literal(sorted(wall.withheld_reasons), ARRAY(Text))
        conditions.append(func.coalesce(jobs.c.reason != func.all(marked), literal(True)))
    return and_(true(), *conditions)


def list_clients(connection: Connection, wall: Wall, *, limit: int) -> list[str]:
    """List the clients that have jobs, in the order of their names, at most so many; behind a wall those it allows.

    A step through an index for each, because a plain DISTINCT would read all jobs. Where these are distributed, no
    node can take such a step alone: there all of them read theirs, side by side.
    """
    if wall.clients is not None:
        return sorted(wall.clients)[:limit]
    if topology_of(connection).is_distributed:
        query = select(jobs.c.client_id).where(jobs.c.client_id.is_not(None)).group_by(jobs.c.client_id)
        return list(connection.execute(query.order_by(jobs.c.client_id).limit(limit)).scalars())
    steps = text("""
        WITH RECURSIVE step (client_id) AS (
            (SELECT min(client_id) FROM jobs)
            UNION ALL
            SELECT (SELECT min(client_id) FROM jobs WHERE client_id > step.client_id) FROM step
            WHERE step.client_id IS NOT NULL
        )
        SELECT client_id FROM step WHERE client_id IS NOT NULL LIMIT :limit
    """)
    return list(connection.execute(steps, {"limit": limit}).scalars())
