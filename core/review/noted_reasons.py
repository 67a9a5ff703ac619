"""What is noted of reasons: those that staff have marked as underage, and names of rules that were seen.

Kept in our own tables, because the jobs may live elsewhere.
"""

from collections.abc import Iterable

from sqlalchemy import Update, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.db.databases import Databases
from core.db.schema import noted_reasons
from core.jobs.access import NotedReasons

# Rows that are read; more names of rules are hidden like any other reason.
MOST = 5_000


def read_noted(databases: Databases) -> NotedReasons:
    """Read what is noted; names of rules only where the database of the jobs does not keep them itself."""
    columns = noted_reasons.c
    wanted = columns.is_underage if databases.source.counts_reasons() else or_(columns.is_underage, columns.is_rule)
    query = select(columns.reason, columns.is_rule, columns.is_underage).where(wanted)
    query = query.order_by(columns.is_underage.desc(), columns.noted_at).limit(MOST)
    with databases.ours.transaction() as connection:
        rows = connection.execute(query).all()
    return NotedReasons(
        underage=frozenset(row.reason for row in rows if row.is_underage),
        rules=frozenset(row.reason for row in rows if row.is_rule),
    )


def mark_underage(databases: Databases, by: Actor, reason: str, *, is_underage: bool) -> None:
    """Mark a reason as underage, or take that back; an event in the audit tells it.

    Who hides what is flagged underage does not meet a prompt with such a reason then, either.
    """
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden("Marking a reason needs the scope admin:config: ask an administrator.")
    changed = _mark(reason) if is_underage else _unmark(reason)
    with databases.ours.transaction() as connection:
        if connection.execute(changed.returning(noted_reasons.c.reason)).one_or_none() is not None:
            event = Event.REASON_MARKED if is_underage else Event.REASON_UNMARKED
            append(connection, databases.audit_key, event, by, details={"reason": reason})


def _mark(reason: str) -> Insert:
    row = insert(noted_reasons).values(reason=reason, is_underage=True)
    return row.on_conflict_do_update(
        index_elements=["reason"], set_={"is_underage": True}, where=~noted_reasons.c.is_underage
    )


def _unmark(reason: str) -> Update:
    marked = (noted_reasons.c.reason == reason, noted_reasons.c.is_underage)
    return update(noted_reasons).where(*marked).values(is_underage=False)


def learn_rules(databases: Databases, rules: Iterable[str]) -> None:
    """Note names of rules that were seen beside enough different prompts."""
    rows = [{"reason": rule, "is_rule": True} for rule in rules]
    if not rows:
        return
    row = insert(noted_reasons).values(rows)
    with databases.ours.transaction() as connection:
        connection.execute(
            row.on_conflict_do_update(index_elements=["reason"], set_={"is_rule": True}, where=~noted_reasons.c.is_rule)
        )
