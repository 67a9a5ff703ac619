"""The list of exports, newest first: one's own, or everybody's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select, tuple_

from core.db.databases import Databases
from core.db.schema import api_keys, exports, people
from core.export.receipts import CONTENTS, Status, close_lost_receipts

_KEY = (exports.c.started_at, exports.c.export_id)


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A place between two exports in their list."""

    started_at: datetime
    export_id: UUID


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """Exports in the order newest first, and the keys that lead to the pages beside this one (None: there is none).

    The first page has the key None, so whether there is a page before is told by `has_previous`. `is_live` tells
    whether any export in the whole list is running.
    """

    rows: list[Row[Any]]
    next: ReceiptKey | None
    has_previous: bool
    previous: ReceiptKey | None
    is_live: bool


def page_receipts(
    databases: Databases, requested_by: str | None, *, after: ReceiptKey | None, limit: int
) -> ReceiptPage:
    """Read a page of at most `limit` exports that come after a key: of one actor by name, or of all (None).

    Exports that have lost their heartbeat are closed first, so that none is shown as running that is not.
    """
    close_lost_receipts(databases)
    with databases.ours.transaction() as connection:
        found = list(connection.execute(list_query(requested_by, after=after, limit=limit + 1)))
        above = [] if after is None else _keys_above(connection, requested_by, after, limit + 1)
        running = select(exists().where(exports.c.status == Status.RUNNING.value, *_of(requested_by)))
        is_live = connection.execute(running).scalar_one()
    rows = found[:limit]
    return ReceiptPage(
        rows=rows,
        next=ReceiptKey(rows[-1].started_at, rows[-1].export_id) if len(found) > limit else None,
        has_previous=bool(above),
        previous=above[limit] if len(above) > limit else None,
        is_live=is_live,
    )


def find_listed_receipt(databases: Databases, requested_by: str | None, export_id: UUID) -> Row[Any] | None:
    """Return one export as the list shows it, or None where there is none or it is somebody else's."""
    close_lost_receipts(databases)
    with databases.ours.transaction() as connection:
        return connection.execute(_select_receipts(requested_by).where(exports.c.export_id == export_id)).one_or_none()


def list_query(requested_by: str | None, *, after: ReceiptKey | None, limit: int) -> Select[Any]:
    """Build the query of a page, newest first."""
    query = _select_receipts(requested_by).order_by(*(column.desc() for column in _KEY)).limit(limit)
    return query if after is None else query.where(tuple_(*_KEY) < (after.started_at, after.export_id))


def _select_receipts(requested_by: str | None) -> Select[Any]:
    """Select exports with the address of the person, or the name of the key, that asked for each."""
    named = exports.outerjoin(people, people.c.person == exports.c.requested_by).outerjoin(
        api_keys, api_keys.c.key_id == func.substring(exports.c.requested_by, "^key:(.*)$")
    )
    return (
        select(exports, CONTENTS, people.c.address, api_keys.c.name.label("key_name"), func.now().label("read_at"))
        .select_from(named)
        .where(*_of(requested_by))
    )


def _keys_above(connection: Connection, requested_by: str | None, after: ReceiptKey, limit: int) -> list[ReceiptKey]:
    """Read the keys that stand before a page, from the nearest one upwards."""
    query = select(*_KEY).where(*_of(requested_by), tuple_(*_KEY) >= (after.started_at, after.export_id))
    return [ReceiptKey(*key) for key in connection.execute(query.order_by(*_KEY).limit(limit))]


def _of(requested_by: str | None) -> list[ColumnElement[bool]]:
    return [] if requested_by is None else [exports.c.requested_by == requested_by]
