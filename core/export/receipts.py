"""Receipts: a row in `exports` for every export, from before its first byte to its end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, case, exists, func, insert, select, update

from core.actor import HOUSE, Actor
from core.audit.events import Event, append
from core.db.database import Database
from core.db.databases import Databases
from core.db.json_rows import print_row
from core.db.schema import exports, review_exports
from core.errors import ExportCut
from core.jobs.filter import JobFilter

# A running export renews its row this often (seconds), so that it is seen to grow, and can miss many renewals before it
# counts as lost. One is an UPDATE by primary key, about a millisecond of the server's time.
HEARTBEAT = 2
LOST_AFTER = timedelta(seconds=60)


class Via(StrEnum):
    """The door that an export came through."""

    API = "api"
    DASHBOARD = "dashboard"
    CLI = "cli"


class Contents(StrEnum):
    """What an export holds."""

    JOBS = "jobs"
    REVIEWS = "reviews"


class Snapshot(StrEnum):
    """What an export shows jobs by where it is not one snapshot.

    `per-node`: each server behind the source took its own, within moments of the others.
    """

    PER_NODE = "per-node"


class Status(StrEnum):
    """`interrupted`: the reader went away or stopped reading; `failed`: we did."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


# What an export holds, as a column of a query of exports.
CONTENTS = case(
    (exists().where(review_exports.c.export_id == exports.c.export_id), Contents.REVIEWS.value),
    else_=Contents.JOBS.value,
).label("contents")

_RECEIPT = select(exports, CONTENTS)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export has come: records without the header, and bytes of the body with its BOM."""

    rows: int = 0
    bytes: int = 0


def open_receipt(
    databases: Databases,
    by: Actor,
    export_id: UUID,
    job_filter: JobFilter,
    *,
    via: Via,
    contents: Contents = Contents.JOBS,
) -> None:
    """Commit the row of an export that is about to start, and its event. Without them there is no export."""
    clients = by.wall.narrow(job_filter.client_id)
    asked: dict[str, Any] = {
        "via": via.value,
        "client_id": clients[0] if clients is not None and len(clients) == 1 else job_filter.client_id,
        "filter": job_filter.to_params(),
    }
    if clients is not None and len(clients) != 1:
        asked["clients"] = clients
    with databases.ours.transaction() as connection:
        _close_lost(connection, databases.audit_key)
        connection.execute(insert(exports).values(export_id=export_id, requested_by=by.name, **asked))
        if contents is Contents.REVIEWS:
            connection.execute(insert(review_exports).values(export_id=export_id))
            asked |= {"contents": contents.value}
        append(connection, databases.audit_key, Event.EXPORT_STARTED, by, subject=str(export_id), details=asked)


def renew_receipt(
    database: Database,
    export_id: UUID,
    progress: Progress,
    *,
    snapshot_at: datetime | None = None,
    snapshot: Snapshot | None = None,
) -> None:
    """Record that an export is alive, how far it has come and, once it has its snapshot, what that is.

    Raises `ExportCut` where somebody has closed the row in the meantime: such an export must not end well.
    """
    values: dict[str, Any] = {"heartbeat_at": func.now(), "rows": progress.rows, "bytes": progress.bytes}
    if snapshot_at is not None:
        values |= {"snapshot_at": snapshot_at, "snapshot": snapshot}
    with database.transaction() as connection:
        _update_running(connection, export_id, values)


def close_receipt(
    databases: Databases, by: Actor, export_id: UUID, progress: Progress, status: Status, *, sha256: str | None = None
) -> None:
    """Record the end of an export, in its row and in the audit.

    Raises `ExportCut` where somebody has closed the row already.
    """
    end = {"status": status.value, "rows": progress.rows, "bytes": progress.bytes, "sha256": sha256}
    with databases.ours.transaction() as connection:
        _update_running(connection, export_id, end | {"finished_at": func.now(), "heartbeat_at": func.now()})
        append(connection, databases.audit_key, Event.EXPORT_FINISHED, by, subject=str(export_id), details=end)


def find_receipt(databases: Databases, export_id: UUID) -> dict[str, Any] | None:
    """Return a receipt as JSON values, or None."""
    with databases.ours.transaction() as connection:
        _close_lost(connection, databases.audit_key)
        row = connection.execute(_RECEIPT.where(exports.c.export_id == export_id)).one_or_none()
    return None if row is None else _as_json(row)


def find_complete_receipt(database: Database, sha256: str, *, preferred: str | None = None) -> dict[str, Any] | None:
    """Return the receipt of a complete export whose body has this hash, or None.

    Of several it is the newest, or the newest of those that `preferred` asked for, where there is one.
    """
    with database.transaction() as connection:
        row = connection.execute(
            _RECEIPT.where(exports.c.sha256 == sha256, exports.c.status == Status.COMPLETE.value)
            .order_by((exports.c.requested_by == (preferred or "")).desc(), exports.c.finished_at.desc())
            .limit(1)
        ).one_or_none()
    return None if row is None else _as_json(row)


def close_lost_receipts(databases: Databases) -> None:
    """Close the rows of exports that have lost their heartbeat, whichever process they ran in."""
    with databases.ours.transaction() as connection:
        _close_lost(connection, databases.audit_key)


def _close_lost(connection: Connection, audit_key: bytes | None) -> None:
    """Close lost rows, each with an event. It is nobody's act, so the actor is the house, whoever happens to look.

    The statement reads the index of running exports only, and waits for nobody who is closing the same ones.
    """
    lost = (
        select(exports.c.export_id)
        .where(exports.c.status == Status.RUNNING.value, exports.c.heartbeat_at < func.now() - LOST_AFTER)
        .with_for_update(skip_locked=True)
    )
    closed = connection.execute(
        update(exports)
        .where(exports.c.export_id.in_(lost))
        .values(status=Status.FAILED.value, finished_at=func.now())
        .returning(exports.c.export_id, exports.c.status, exports.c.rows, exports.c.bytes, exports.c.sha256)
    ).all()
    for export_id, *values in closed:
        end = dict(zip(("status", "rows", "bytes", "sha256"), values, strict=True))
        append(connection, audit_key, Event.EXPORT_FINISHED, HOUSE, subject=str(export_id), details=end)


def _update_running(connection: Connection, export_id: UUID, values: dict[str, Any]) -> None:
    running = (exports.c.export_id == export_id) & (exports.c.status == Status.RUNNING.value)
    if connection.execute(update(exports).where(running).values(values)).rowcount == 0:
        raise ExportCut("The receipt of this export was closed by somebody else: start the export again.")


def _as_json(row: Row[Any]) -> dict[str, Any]:
    """Print a receipt. That it holds verdicts, is of several clients or no one snapshot, is said where it is so."""
    ordinary = {"contents": Contents.JOBS.value, "clients": None, "snapshot": None}
    return {name: value for name, value in print_row(row).items() if ordinary.get(name, ...) != value}
