"""Months: the partitions of `jobs`, where `core migrate --partitioned` has made it.

Each month of `created_at`, in UTC, is a table of its own (`jobs_2026_04`). What has no month yet goes to `jobs_other`,
so that nobody who writes jobs is refused, and moves out of it when its month is made.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

# Months are made from here to a year after now. What claims to be of another time stays in `jobs_other`: a clock that
# is wrong must not make thousands of tables.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=366)

# The default partition may be dropped by those who want PostgreSQL to refuse what has no month.
OTHER = "jobs_other"

_IS_PARTITIONED = (
    "SELECT FROM pg_class WHERE oid = to_regclass('jobs') AND pg_get_partkeydef(oid) = 'RANGE (created_at)'"
)

# The names that are free, where the role may make tables and attach them.
_MISSING = text(f"""
    SELECT name FROM unnest(CAST(:names AS text[])) AS name
    WHERE to_regclass(name) IS NULL AND EXISTS (
        {_IS_PARTITIONED} AND pg_has_role(relowner, 'USAGE') AND has_schema_privilege(relnamespace, 'CREATE')
    )
""")

# Triggers of statements are called for the table that a statement names, so each month has those of `jobs`. Those of
# rows (the lowest bit of their type) come down by themselves.
_TRIGGERS = text("""
    SELECT replace(pg_get_triggerdef(pg_trigger.oid), format(' ON %I.%I ', nspname, relname), ' ON ' || :name || ' ')
        || CASE WHEN tgenabled = 'A' THEN format('; ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', :name, tgname) ELSE '' END
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE tgrelid = to_regclass('jobs') AND NOT tgisinternal AND tgtype & 1 = 0
""")

# What a new table brings is known already: nothing, or what came out of `jobs_other`.
_ADOPT = text("UPDATE job_facts_state SET relations = job_facts_relations()")


def is_partitioned(connection: Connection) -> bool:
    """Tell whether `jobs` is made of months."""
    return bool(connection.execute(text(f"SELECT EXISTS ({_IS_PARTITIONED})")).scalar_one())


def make_months(transaction: Callable[[], AbstractContextManager[Connection]], instants: Iterable[datetime]) -> None:
    """Make the months of some instants where they are missing, each in a transaction of its own.

    Does nothing where `jobs` is one table, or belongs to another role: then that one runs `core migrate` now and then.
    """
    latest = datetime.now(UTC) + AHEAD
    months = {_name(month): month for month in map(_start, instants) if EARLIEST <= month <= latest}
    with transaction() as connection:
        missing = list(connection.execute(_MISSING, {"names": sorted(months)}).scalars())
    for name in missing:
        with transaction() as connection:
            _make(connection, months[name])


def make_other(connection: Connection) -> None:
    """Make the partition that takes what has no month, where nothing is there yet."""
    if connection.execute(text("SELECT FROM pg_inherits WHERE inhparent = 'jobs'::regclass LIMIT 1")).first() is None:
        connection.execute(text(f"CREATE TABLE {OTHER} PARTITION OF jobs DEFAULT"))
        _copy_triggers(connection, OTHER)
        connection.execute(_ADOPT)


def find_due(connection: Connection) -> list[datetime]:
    """Return the months of the next year, and those of which there are jobs in `jobs_other`."""
    now = datetime.now(UTC)
    due = set(span(now, now + AHEAD))
    if _has_other(connection):
        strays = text(
            f"SELECT DISTINCT date_trunc('month', created_at, 'UTC') FROM {OTHER}"
            " WHERE created_at BETWEEN :first AND :last"
        )
        due |= set(connection.execute(strays, {"first": EARLIEST, "last": now + AHEAD}).scalars())
    return sorted(due)


def span(first: datetime, last: datetime) -> Iterator[datetime]:
    """Give an instant of every month from the first to the last, both included."""
    month = _start(first)
    while month <= last:
        yield month
        month = _next(month)


def _make(connection: Connection, month: datetime) -> None:
    name, bounds = _name(month), {"start": month, "end": _next(month)}
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    # One process after the other; neither readers nor writers are kept waiting, but where they use `jobs_other`.
    connection.execute(text("LOCK TABLE ONLY jobs IN SHARE UPDATE EXCLUSIVE MODE"))
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None:
        return
    is_known = connection.execute(text("SELECT relations = job_facts_relations() FROM job_facts_state")).scalar_one()
    connection.execute(text(f"CREATE TABLE {name} (LIKE jobs INCLUDING ALL)"))
    if _has_other(connection):
        # Nothing changes but the place, so no trigger is called.
        connection.execute(text(f"LOCK TABLE {OTHER} IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text(f"ALTER TABLE {OTHER} DISABLE TRIGGER USER"))
        connection.execute(
            text(f"WITH moved AS (DELETE FROM {OTHER} WHERE created_at >= :start AND created_at < :end RETURNING *)"
                 f" INSERT INTO {name} SELECT * FROM moved"),
            bounds,
        )  # fmt: skip
        connection.execute(text(f"ALTER TABLE {OTHER} ENABLE TRIGGER USER"))
        connection.execute(text(f"ALTER TABLE {OTHER} ENABLE ALWAYS TRIGGER job_facts_truncate"))
        connection.execute(text(f"ALTER TABLE {OTHER} ENABLE REPLICA TRIGGER job_facts_replica"))
    _copy_triggers(connection, name)
    start, end = (f"'{bound:%Y-%m-%d}Z'" for bound in bounds.values())
    connection.execute(text(f"ALTER TABLE jobs ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"))
    if is_known:
        connection.execute(_ADOPT)


def _copy_triggers(connection: Connection, name: str) -> None:
    for definition in connection.execute(_TRIGGERS, {"name": name}).scalars().all():
        connection.exec_driver_sql(definition)


def _has_other(connection: Connection) -> bool:
    attached = text("SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:name) AND relispartition)")
    return bool(connection.execute(attached, {"name": OTHER}).scalar_one())


def _name(month: datetime) -> str:
    return f"jobs_{month:%Y_%m}"


def _start(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    return _start(month + timedelta(days=31))
