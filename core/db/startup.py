"""Opening and migrating the databases that the settings name."""

from sqlalchemy import text

from core.db import migrations, partitions
from core.db.address import parse_address
from core.db.database import Database
from core.db.databases import Databases
from core.db.driver_errors import MIGRATE
from core.db.embedded import EmbeddedServer
from core.db.migrations import distributed
from core.errors import NotPossible
from core.program import COMMAND
from core.settings import Settings


def open_databases(settings: Settings) -> Databases:
    """Open the databases that the settings name.

    The embedded one is ours alone, so it is started, made and migrated here where that is due; any other is
    migrated by `python -m core migrate` only. Raises `DatabaseUnavailable`.
    """
    databases = _open(settings)
    if databases.server is not None:
        _migrate(databases.ours, with_jobs=databases.jobs_are_ours)
    return databases


def _open(settings: Settings) -> Databases:
    server = None
    if settings.database_url is None:
        server = EmbeddedServer(settings.fencepost_home.resolve())
        ours = Database("the embedded database", server.start(), read_only=False, remedy=MIGRATE, revive=server.revive)
    else:
        ours = Database(
            "DATABASE_URL", parse_address("DATABASE_URL", settings.database_url), read_only=False, remedy=MIGRATE
        )
    source = ours
    if settings.source_database_url is not None:
        source = Database(
            "SOURCE_DATABASE_URL",
            parse_address("SOURCE_DATABASE_URL", settings.source_database_url),
            read_only=True,
            remedy="give it the tables or views `jobs` and `moderation_logs` (see docs/own-database.md)",
        )
    audit_key = settings.fencepost_audit_key
    key = audit_key.get_secret_value().encode() if audit_key else None
    former = settings.fencepost_audit_former_keys.get_secret_value()
    # A key may hold a comma itself, and then it was the only one.
    keys = tuple(part.strip().encode() for part in (*former.split(","), former) if part.strip())
    return Databases(ours, source, server, key, keys)


def migrate(settings: Settings, *, partitioned: bool = False, distribute: bool = False) -> None:
    """Create or upgrade the tables, as the role of MIGRATE_DATABASE_URL where that is set.

    `partitioned`: with `jobs` in a table for each month; `distribute`: over the nodes of Citus. Raises `NotPossible`
    where the jobs are there already in another way.
    """
    if settings.migrate_database_url is not None:
        conninfo = parse_address("MIGRATE_DATABASE_URL", settings.migrate_database_url)
        owner = Database("MIGRATE_DATABASE_URL", conninfo, read_only=False, remedy=MIGRATE)
        try:
            with_jobs = settings.source_database_url is None
            _migrate(owner, with_jobs=with_jobs, partitioned=partitioned, distribute=distribute)
        finally:
            owner.close()
        return
    databases = _open(settings)
    try:
        _migrate(databases.ours, with_jobs=databases.jobs_are_ours, partitioned=partitioned, distribute=distribute)
    finally:
        databases.close()


def _migrate(database: Database, *, with_jobs: bool, partitioned: bool = False, distribute: bool = False) -> None:
    if (partitioned or distribute) and not with_jobs:
        given = "--partitioned" if partitioned else "--distributed"
        raise NotPossible(f"The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: leave {given} out.")
    if partitioned and distribute:
        raise NotPossible(
            "Jobs are either in months or over the nodes of Citus: leave --partitioned or --distributed out."
        )
    with database.transaction() as connection:
        # Two processes that start at once must not both create the tables.
        connection.execute(text("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost migrations', 0))"))
        migrations.refuse_newer(connection, database.setting)
        if not migrations.is_current(connection, with_jobs=with_jobs):
            migrations.upgrade(connection, with_jobs=with_jobs, partitioned=partitioned)
        if partitioned and not partitions.is_partitioned(connection):
            raise NotPossible(
                "The table jobs is there already, in one piece: --partitioned is for a new database. "
                f"Make one, and import there what `{COMMAND} export` gives of this one."
            )
        if partitioned:
            partitions.make_other(connection)
        if distribute:
            distributed.distribute(connection, database.setting)
        due = partitions.find_due(connection) if with_jobs else []
    partitions.make_months(database.transaction, due)
