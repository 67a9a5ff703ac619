"""Upkeep of job facts: filled a day of jobs at a time, settled where unsettled, their counts added up."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.db.database import Database

# Seconds that one transaction may take: a day of a busy service.
TIMEOUT = 300

# Notes that are settled, and hours that are added up, in one transaction.
NOTES_AT_ONCE, HOURS_AT_ONCE = 5_000, 24

# One process is enough; what it leaves is due in the next round.
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('fencepost facts', 0))")


def keep_facts(database: Database) -> None:
    """Do all that is due, in short transactions; where another process is at it already, leave it to that one."""
    if not database.has_facts():
        return
    for _ in fill(database):
        pass
    # Only what was there at the beginning: a note that cannot be settled yet comes back.
    with database.transaction() as connection:
        due = connection.execute(text("SELECT count(*) FROM job_facts_unsettled")).scalar_one()
    while due > 0 and _call(database, "job_facts_settle_some", NOTES_AT_ONCE):
        due -= NOTES_AT_ONCE
    while _call(database, "job_counts_add_up", HOURS_AT_ONCE):
        pass


def fill(database: Database) -> Iterator[str]:
    """Fill what is not filled yet, a day of jobs in a transaction; give each day's first instant once it is committed.

    Whoever stops in between has lost nothing: the next one goes on there.
    """
    while True:
        with database.transaction(timeout=TIMEOUT) as connection:
            if not connection.execute(_LOCK).scalar_one():
                return
            day = connection.execute(text("SELECT job_facts_fill_next()::text")).scalar_one()
        if day is None:
            return
        yield day


def are_complete(connection: Connection) -> bool:
    """Tell whether all facts are filled, and are those of the tables that hold the jobs now."""
    state = text("SELECT is_complete AND relations = job_facts_relations() FROM job_facts_state")
    return bool(connection.execute(state).scalar_one())


def begin_anew(database: Database) -> None:
    """Let facts be filled from the beginning; until that is done, questions go to the jobs themselves."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE job_facts_state SET is_complete = false, filled_to = NULL"))


def count_wrong(connection: Connection) -> int:
    """Count the facts and counts of reasons that are missing or are not what the jobs say.

    Those that are unsettled, or not counted yet, are neither.
    """
    wrong = text(
        "SELECT (SELECT count(*) FROM job_facts_find_wrong('-infinity', 'infinity')) + job_reasons_count_wrong()"
    )
    return int(connection.execute(wrong).scalar_one())


def _call(database: Database, function: str, most: int) -> int:
    with database.transaction(timeout=TIMEOUT) as connection:
        if not connection.execute(_LOCK).scalar_one():
            return 0
        return int(connection.execute(text(f"SELECT {function}(:most)"), {"most": most}).scalar_one() or 0)
