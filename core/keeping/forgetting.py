"""Forgetting by age: once a day in whichever process, or by command, in short transactions that keep nobody waiting."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, text

from core.actor import HOUSE, Actor
from core.audit import cutting
from core.audit.cutting import cut_audit, find_cut
from core.db.database import Database
from core.db.databases import Databases
from core.errors import DatabaseUnavailable, FencepostError
from core.keeping.holds import lock_and_find_holds
from core.keeping.kinds import Kind, list_kinds
from core.settings import Settings

log = logging.getLogger("fencepost.upkeep")

# Rows that are removed in one transaction.
AT_ONCE = 5_000

# Seconds that one transaction may take.
TIMEOUT = 60

AUDIT = "events of the audit"

# One process is enough.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('fencepost forgetting', 0))")

# Of processes that come at one moment the second finds that the first has begun. What has begun later than now was
# noted by a clock that was wrong; and where the last time was long ago the clock may be wrong now. Who does not come to
# the end leaves it to whoever looks an hour later.
_BEGIN = text("""
    UPDATE upkeep_tasks AS task
    SET begun_at = now() - CASE WHEN last.is_doubtful THEN interval '0' ELSE interval '23 hours' END
    FROM (
        SELECT task, isfinite(begun_at) AND begun_at < now() - interval '31 days' AS is_doubtful FROM upkeep_tasks
    ) AS last
    WHERE task.task = 'forget' AND last.task = task.task
        AND task.begun_at NOT BETWEEN now() - interval '1 day' AND now() + interval '1 hour'
    RETURNING now(), last.is_doubtful
""")
_END = text("UPDATE upkeep_tasks SET begun_at = :begun_at WHERE task = 'forget'")

_MAY_REMOVE = text("SELECT has_table_privilege(:table, 'DELETE')")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What became of rows of one kind: how many older than `before` were removed, or are to be removed.

    `before` None: they are kept for ever. `hindrance`: a sentence that says why old ones stay.
    """

    name: str
    before: datetime | None
    rows: int = 0
    hindrance: str | None = None

    def __str__(self) -> str:
        if self.hindrance is not None:
            return f"Old {self.name} stay: {self.hindrance}."
        if self.before is None and not self.rows:
            return f"{self.name.capitalize()} are kept for ever."
        since = "" if self.before is None else f" from before {self.before:%Y-%m-%d}"
        return f"{self.name.capitalize()}{since}: {self.rows:,} removed."


def forget_daily(databases: Databases, settings: Settings) -> list[Forgotten]:
    """Remove what is old, by the database's clock, unless some process has done so within a day; log what became of it.

    After a month without, that waits for a day: a clock that runs ahead is corrected by then, and nothing is lost.
    Where some of it fails, or the process ends, it is due again in an hour. Raises what `forget_old` does.
    """
    with databases.ours.transaction() as connection:
        begun = connection.execute(_BEGIN).one_or_none()
    if begun is None:
        return []
    if begun.is_doubtful:
        log.warning("nothing is removed for its age before tomorrow: the last time is over a month ago, by this clock")
        return []
    done = []
    for forgotten in forget_old(databases, settings, HOUSE, begun.now):
        if forgotten.rows or forgotten.hindrance:
            log.info("%s", forgotten)
        done.append(forgotten)
    with databases.ours.transaction() as connection:
        connection.execute(_END, {"begun_at": begun.now})
    return done


def read_clock(database: Database) -> datetime:
    """Return what time it is by the database, which has written the times of what there is."""
    with database.transaction() as connection:
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return now


def forget_old(databases: Databases, settings: Settings, by: Actor, now: datetime) -> Iterator[Forgotten]:
    """Remove what is older than the settings say, kind by kind; give each once it is gone.

    Where one fails, as while somebody holds a lock, the others go on; at the end the first failure is raised.
    """
    removed, failures = [], []
    tasks = {kind.table: partial(_forget, databases, kind, now) for kind in list_kinds(settings, now)}
    tasks["audit_events"] = partial(_forget_audit, databases, settings, by, now)
    for table, forget in tasks.items():
        try:
            found = forget()
        except FencepostError as error:
            failures.append(error)
            continue
        if found.rows:
            removed.append(table)
        yield found
    if removed:
        # So that what comes next takes the place of what is gone; a role that may not is passed over.
        with suppress(DatabaseUnavailable):
            databases.ours.vacuum(*removed)
    if failures:
        raise failures[0]


def count_old(databases: Databases, settings: Settings, now: datetime) -> Iterator[Forgotten]:
    """Count what `forget_old` would remove, and remove nothing."""
    for kind in list_kinds(settings, now):
        if kind.is_for_ever:
            yield Forgotten(kind.name, None)
            continue
        with databases.ours.transaction(timeout=TIMEOUT) as connection:
            counted = text(f"SELECT count(*) FROM {kind.table} WHERE {kind.old}")
            rows = connection.execute(counted, _times(kind, now)).scalar_one()
            yield Forgotten(kind.name, kind.before, rows, _find_hindrance(connection, kind))
    before = _find_audit_limit(settings, now)
    with databases.ours.transaction(timeout=TIMEOUT) as connection:
        cut = None if before is None else find_cut(connection, before)
        hindrance = None if before is None else _find_hindrance(connection, None)
    yield Forgotten(AUDIT, before, 0 if cut is None else cut.rows, hindrance)


def _forget(databases: Databases, kind: Kind, now: datetime) -> Forgotten:
    if kind.is_for_ever:
        return Forgotten(kind.name, None)
    rows, is_over = 0, False
    while not is_over:
        with databases.ours.transaction(timeout=TIMEOUT) as connection:
            hindrance = _find_hindrance(connection, kind)
            if hindrance is not None:
                return Forgotten(kind.name, kind.before, rows, hindrance)
            if not connection.execute(_LOCK).scalar_one():
                return Forgotten(kind.name, kind.before, rows, "another process is at it")
            found = _remove_some(connection, kind, now)
        rows, is_over = rows + found, found < AT_ONCE
    return Forgotten(kind.name, kind.before, rows)


def _remove_some(connection: Connection, kind: Kind, now: datetime) -> int:
    """Remove at most `AT_ONCE` rows; those that somebody has locked have their turn another day."""
    old = f"SELECT {kind.key} FROM {kind.table} WHERE {kind.old} LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED"
    if kind.first is None:
        removal = text(f"DELETE FROM {kind.table} WHERE ({kind.key}) IN ({old})")
        return connection.execute(removal, _times(kind, now)).rowcount
    gone = {"gone": list(connection.execute(text(old), _times(kind, now)).scalars())}
    connection.execute(text(kind.first), gone)
    connection.execute(text(f"DELETE FROM {kind.table} WHERE {kind.key} = ANY (:gone)"), gone)
    return len(gone["gone"])


def _forget_audit(databases: Databases, settings: Settings, by: Actor, now: datetime) -> Forgotten:
    before, rows, is_over = _find_audit_limit(settings, now), 0, False
    if before is None:
        return Forgotten(AUDIT, None)
    while not is_over:
        with databases.ours.transaction() as connection:
            hindrance = _find_hindrance(connection, None)
            if hindrance is not None:
                return Forgotten(AUDIT, before, rows, hindrance)
            found = cut_audit(connection, databases, by, before)
        rows, is_over = rows + found, found < cutting.AT_ONCE
    return Forgotten(AUDIT, before, rows)


def _find_audit_limit(settings: Settings, now: datetime) -> datetime | None:
    days = settings.fencepost_keep_audit_days
    return now - timedelta(days=days) if days else None


def _find_hindrance(connection: Connection, kind: Kind | None) -> str | None:
    """Say why rows of a kind (None: of the audit) may not be removed now."""
    if (kind is None or kind.is_evidence) and lock_and_find_holds(connection):
        return "a hold is in force"
    table = "audit_events" if kind is None else kind.table
    if not connection.execute(_MAY_REMOVE, {"table": table}).scalar_one():
        return "only the owner of the tables may remove them: run this as the owner"
    return None


def _times(kind: Kind, now: datetime) -> dict[str, datetime | None]:
    """Return the parameters of a condition; nothing is older than null."""
    times = {"before": kind.before, "yesterday": now - timedelta(days=1)}
    return {name: time for name, time in times.items() if f":{name}" in kind.old}
