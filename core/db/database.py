"""Engines and connections: the only module that opens them."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy.exc
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, text

from core.db import migrations, partitions
from core.db.embedded import EmbeddedServer
from core.errors import DatabaseUnavailable, InvalidSetting, NotPossible, QueryTooSlow, StatementDropped
from core.settings import Settings

log = logging.getLogger("fencepost.database")

HOME = Path(__file__).resolve().parents[2] / ".fencepost"
OLDEST_VERSION = 15

# Seconds. Long enough for a server that wakes up, short enough for a person who waits.
CONNECT_TIMEOUT = 5

# Connections of a process for short transactions, at most.
POOL_SIZE = 16

# Seconds after which a pooled connection is made anew where the URL names several servers: while a standby was away,
# connections went to another one.
RECYCLE = 60

# psycopg reads times in no other form, whatever form a role or a machine prefers.
TIMES = {"DateStyle": "ISO", "TimeZone": "UTC"}

# Beside the mode of each transaction: a statement that ends its transaction unasked is not followed by one that writes.
READ_ONLY = {"default_transaction_read_only": "on"}

# One value for all sessions, so that no default of a role or a machine decides how long our statements may live.
# Milliseconds; statements of pages get their own limit for a transaction.
SESSION = TIMES | {
    "statement_timeout": "15000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "60000",
    # The audit waits for its lock and then reads what others have committed meanwhile.
    "default_transaction_isolation": "read committed",
    # Pages read stretches of an index. A plan that begins with the whole table costs most just where it looks cheap:
    # while the table is small.
    "enable_seqscan": "off",
    # Up to PostgreSQL 17 that makes some plans look dear enough to be compiled, which takes longer than they do.
    "jit": "off",
}

# An export lives as long as its reader reads; the reader's own limit is FENCEPOST_SEND_TIMEOUT. The server looks
# every second whether the reader's connection is still there, and gives rows out in the order of an index, so that
# the first one comes at once, where there is such an index.
EXPORT_SESSION = (
    TIMES
    | READ_ONLY
    | {
        "statement_timeout": "0",
        "lock_timeout": "5000",
        "idle_in_transaction_session_timeout": "0",
        "transaction_timeout": "0",
        "client_connection_check_interval": "1000",
        "enable_sort": "off",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
    }
)

# What libpq says, without an SQLSTATE, of a server that goes or comes back.
_GONE = "server closed the connection|consuming input|the database system is (starting up|shutting down)"

# Finds what holds the rows of the table or view `:relation`: tables behind views, and partitions. A view's rule depends
# on what the view reads; a materialized view holds its rows itself.
BEHIND = """
    WITH RECURSIVE behind (oid) AS (
        SELECT CAST(to_regclass(:relation) AS oid)
        UNION
        SELECT next.oid FROM behind CROSS JOIN LATERAL (
            SELECT refobjid AS oid FROM pg_rewrite
                JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
                JOIN pg_class ON pg_class.oid = ev_class AND relkind = 'v'
                WHERE ev_class = behind.oid AND refclassid = 'pg_class'::regclass
            UNION ALL
            SELECT inhrelid FROM pg_inherits WHERE inhparent = behind.oid
        ) AS next
    )
"""

MIGRATE = "run `python -m core migrate`"


@dataclass(frozen=True, slots=True)
class Folding:
    """How the source folds case: the collation whose rules are used, or None for the database's own.

    `is_indexed`: there is an index of searches (`pg_trgm`) on prompts that are folded so.
    """

    collation: str | None
    is_indexed: bool = False


class Database:
    """One PostgreSQL database: a pool for short transactions, and single connections for exports."""

    def __init__(self, setting: str, conninfo: str, *, read_only: bool, remedy: str) -> None:
        self.setting = setting
        defaults: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "fencepost"}
        # Not a default: what is sent and read here is UTF-8, whatever the role, the machine or the URL prefers.
        self.conninfo = make_conninfo(**(defaults | conninfo_to_dict(conninfo) | {"client_encoding": "utf8"}))
        self.read_only = read_only
        self.remedy = remedy
        self._folding: Folding | None = None
        self.engine = self._create_engine()

    @contextmanager
    def transaction(self, *, timeout: float | None = None) -> Iterator[Connection]:
        """Run a transaction of at most `timeout` seconds a statement.

        Raises `DatabaseUnavailable` or `QueryTooSlow` in place of the drivers' errors, which may quote statements
        and values.
        """
        with self.translated_errors(), self.engine.begin() as connection:
            if timeout is None and self.read_only:
                # After its first query, whichever it is, a transaction cannot be made one that writes.
                connection.execute(text("SELECT"))
            if timeout is not None:
                milliseconds = max(1, round(timeout * 1000))
                connection.execute(
                    text("SELECT set_config('statement_timeout', :value, true)"), {"value": str(milliseconds)}
                )
            yield connection

    async def connect_for_export(
        self, beside: psycopg.AsyncConnection | None = None, snapshot: str | None = None
    ) -> psycopg.AsyncConnection:
        """Open a connection for an export, in a transaction that reads one snapshot and that nothing makes writable.

        `beside` another one it goes to that one's server, of all that a URL may name: a snapshot lives on one server.
        `snapshot` names the one to read; without it a new one is taken.
        """
        conninfo = self.conninfo
        if beside is not None:
            info = beside.info
            same: dict[str, str | int | None] = {
                "host": info.host,
                "port": info.port,
                "hostaddr": info.hostaddr or None,
            }
            conninfo = make_conninfo(conninfo, **same, target_session_attrs="any")
        with self.translated_errors():
            connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            try:
                await connection.execute(_set_config(EXPORT_SESSION))
                await connection.set_autocommit(False)
                await connection.set_read_only(True)
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                # Whichever it is, it settles snapshot and mode of the transaction.
                first = "SELECT" if snapshot is None else "SET TRANSACTION SNAPSHOT {}"
                await connection.execute(psycopg.sql.SQL(first).format(snapshot))
            except BaseException:
                await connection.close()
                raise
        return connection

    def vacuum(self, *tables: str) -> None:
        """Vacuum and analyse tables, which runs in no transaction."""
        with (
            self.translated_errors(),
            self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"VACUUM (ANALYZE) {', '.join(tables)}"))
            connection.execute(text(f"SET statement_timeout = {SESSION['statement_timeout']}"))

    def folding(self) -> Folding:
        """Find the collation that folds the case of all letters, whatever locale the database was made with.

        PostgreSQL 17 brings `pg_c_utf8`, most older builds bring ICU; under the C locale alone `É` is not `é`.
        """
        if self._folding is None:
            with self.transaction() as connection:
                names = connection.execute(
                    text("""
                        SELECT collname FROM pg_collation
                        WHERE collname IN ('pg_c_utf8', 'und-x-icu')
                            AND pg_encoding_to_char(collencoding) IN ('', 'UTF8')
                        ORDER BY collname
                    """)
                ).scalars()
                collation = next(iter(names), None)
                indexed = connection.execute(
                    text(f"""
                        {BEHIND} SELECT EXISTS (
                            SELECT FROM behind JOIN pg_index ON indrelid = behind.oid
                                JOIN pg_opclass ON pg_opclass.oid = ANY (indclass)
                            WHERE indisvalid AND opcname IN ('gin_trgm_ops', 'gist_trgm_ops')
                        )
                    """),
                    {"relation": "jobs"},
                )
                self._folding = Folding(collation, bool(indexed.scalar_one()))
        return self._folding

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Turn the drivers' errors into Fencepost's; what is logged of them is their class and SQLSTATE."""
        try:
            yield
        except sqlalchemy.exc.TimeoutError:
            raise DatabaseUnavailable(f"All connections to {self} are in use: try again in a few seconds.") from None
        except sqlalchemy.exc.DBAPIError as error:
            raise self._translate(error.orig) from None
        except psycopg.Error as error:
            raise self._translate(error) from None

    def close(self) -> None:
        self.engine.dispose()

    def __str__(self) -> str:
        """Name the database without its password."""
        parts = conninfo_to_dict(self.conninfo)
        host = parts.get("host") or parts.get("hostaddr") or "the local socket"
        port = f":{parts['port']}" if parts.get("port") else ""
        return f"the database {parts.get('dbname') or parts.get('user') or ''} at {host}{port}"

    def _create_engine(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=POOL_SIZE // 2,
            max_overflow=POOL_SIZE // 2,
            pool_timeout=CONNECT_TIMEOUT,
            pool_pre_ping=True,
            pool_use_lifo=True,
            pool_recycle=RECYCLE if "," in str(conninfo_to_dict(self.conninfo).get("host")) else -1,
            hide_parameters=True,
        )

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self.conninfo, autocommit=True)
        try:
            if connection.info.server_version < OLDEST_VERSION * 10000:
                version = connection.info.server_version // 10000
                raise DatabaseUnavailable(
                    f"{self.setting} is PostgreSQL {version}, and Fencepost needs {OLDEST_VERSION} or newer."
                )
            connection.execute(_set_config(SESSION | READ_ONLY if self.read_only else SESSION))
            connection.set_autocommit(False)
            connection.set_read_only(self.read_only or None)
        except BaseException:
            connection.close()
            raise
        return connection

    def _translate(self, error: BaseException | None) -> Exception:
        state = getattr(error, "sqlstate", None)
        log.warning("database error: %s %s in %s", type(error).__name__, state or "", self.setting)
        match error:
            case psycopg.errors.QueryCanceled():
                return QueryTooSlow("This search took too long; choose fewer days.")
            case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
                return DatabaseUnavailable(
                    f"{self.setting} lacks a table or column that Fencepost needs: {self.remedy}."
                )
            case psycopg.errors.ReadOnlySqlTransaction():
                return DatabaseUnavailable(f"{self.setting} cannot be written: name a database that is not read-only.")
            case psycopg.errors.InsufficientPrivilege():
                return DatabaseUnavailable(
                    f"The role of {self.setting} lacks a right on Fencepost's tables: grant it (see README.md)."
                )
            case psycopg.errors.DiskFull():
                return DatabaseUnavailable(f"The disk of {self} is full: make room there.")
            case psycopg.errors.LockNotAvailable():
                return DatabaseUnavailable(f"Others keep {self} busy: try again in a few seconds.")
            # What the source says of a server behind it (`postgres_fdw`); of itself it cannot.
            case psycopg.errors.SqlclientUnableToEstablishSqlconnection() | psycopg.errors.ConnectionFailure():
                return DatabaseUnavailable(
                    f"A server behind the foreign tables of {self.setting} cannot be reached: start it, or correct its "
                    "foreign server or user mapping."
                )
            case psycopg.errors.SerializationFailure():
                # Nothing here runs at a level that fails so of itself: it is a conflict with recovery.
                return StatementDropped(
                    f"{str(self)[:1].upper()}{str(self)[1:]} is a standby, and dropped a query that kept it from "
                    "following its primary: try again in a few seconds."
                )
            case psycopg.errors.AdminShutdown() | psycopg.errors.CrashShutdown() | psycopg.errors.DatabaseDropped():
                return StatementDropped(self._explain_connection(str(error)))
            case psycopg.OperationalError() if re.search(_GONE, str(error)):
                return StatementDropped(self._explain_connection(str(error)))
            case psycopg.OperationalError() | psycopg.InterfaceError():
                return DatabaseUnavailable(self._explain_connection(str(error)))
            case _ if self.read_only:
                return NotPossible(
                    f"{self.setting} does not answer a query as it should (SQLSTATE {state}): run `python -m core "
                    "check`, which says what types and values are wrong there."
                )
            case _:
                return NotPossible(
                    f"The database refused a statement (SQLSTATE {state}): this is a fault of Fencepost."
                )

    def _explain_connection(self, message: str) -> str:
        """Say what a failed connection means. libpq gives no SQLSTATE for these, only its words."""
        if re.search(r"database .* does not exist", message):
            name = conninfo_to_dict(self.conninfo).get("dbname")
            remedy = "correct its name" if self.read_only else f"make it with `createdb {name}`, then {MIGRATE}"
            return f"There is no database {name} in {self.setting}: {remedy}."
        if re.search(r"password|authentication|role .* does not exist|pg_hba", message):
            return f"Cannot log in to {self}: correct the role or the password in {self.setting}."
        return f"Cannot reach {self}: start PostgreSQL or correct {self.setting}."


@dataclass(frozen=True, slots=True)
class Databases:
    """Fencepost's own database, and the source that holds the jobs: the same one, or somebody else's.

    No statement touches both.
    """

    ours: Database
    source: Database
    server: EmbeddedServer | None
    # The key of the audit's chain.
    audit_key: bytes | None = None

    @property
    def jobs_are_ours(self) -> bool:
        return self.ours is self.source

    def check(self) -> None:
        """Raise `DatabaseUnavailable` with the remedy where a database cannot be used as it is."""
        with self.ours.transaction() as connection:
            if not migrations.is_current(connection, with_jobs=self.jobs_are_ours):
                raise DatabaseUnavailable(f"The tables in {self.ours.setting} are missing or old: {MIGRATE}.")
        if not self.jobs_are_ours:
            with self.source.transaction() as connection:
                connection.execute(text("SELECT FROM jobs LEFT JOIN moderation_logs ON false LIMIT 0"))

    def close(self) -> None:
        """Give all connections back and leave the embedded server."""
        self.ours.close()
        self.source.close()
        if self.server is not None:
            self.server.stop()


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
        server = EmbeddedServer(HOME)
        ours = Database("the embedded database", server.start(), read_only=False, remedy=MIGRATE)
    else:
        ours = Database(
            "DATABASE_URL", _conninfo("DATABASE_URL", settings.database_url), read_only=False, remedy=MIGRATE
        )
    source = ours
    if settings.source_database_url is not None:
        source = Database(
            "SOURCE_DATABASE_URL",
            _conninfo("SOURCE_DATABASE_URL", settings.source_database_url),
            read_only=True,
            remedy="give it the tables or views `jobs` and `moderation_logs` (see docs/own-database.md)",
        )
    audit_key = settings.fencepost_audit_key
    return Databases(ours, source, server, audit_key.get_secret_value().encode() if audit_key else None)


def migrate(settings: Settings, *, partitioned: bool = False) -> None:
    """Create or upgrade the tables, as the role of MIGRATE_DATABASE_URL where that is set.

    `partitioned`: with `jobs` in a table for each month. Raises `NotPossible` where it is there already as one table.
    """
    if settings.migrate_database_url is not None:
        conninfo = _conninfo("MIGRATE_DATABASE_URL", settings.migrate_database_url)
        owner = Database("MIGRATE_DATABASE_URL", conninfo, read_only=False, remedy=MIGRATE)
        try:
            _migrate(owner, with_jobs=settings.source_database_url is None, partitioned=partitioned)
        finally:
            owner.close()
        return
    databases = _open(settings)
    try:
        _migrate(databases.ours, with_jobs=databases.jobs_are_ours, partitioned=partitioned)
    finally:
        databases.close()


def _migrate(database: Database, *, with_jobs: bool, partitioned: bool = False) -> None:
    if partitioned and not with_jobs:
        raise NotPossible(
            "The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: leave --partitioned out."
        )
    with database.transaction() as connection:
        # Two processes that start at once must not both create the tables.
        connection.execute(text("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost migrations', 0))"))
        if not migrations.is_current(connection, with_jobs=with_jobs):
            migrations.upgrade(connection, with_jobs=with_jobs, partitioned=partitioned)
        if partitioned and not partitions.is_partitioned(connection):
            raise NotPossible(
                "The table jobs is there already, in one piece: --partitioned is for a new database. "
                "Make one, and import there what `python -m core export` gives of this one."
            )
        if partitioned:
            partitions.make_other(connection)
        due = partitions.find_due(connection) if with_jobs else []
    partitions.make_months(database.transaction, due)


def _conninfo(setting: str, url: SecretStr) -> str:
    """Turn a URL as people write it into one that libpq reads. Never repeats the value: it may hold a password."""
    value = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", url.get_secret_value().strip())
    try:
        if not value.startswith("postgresql://"):
            raise psycopg.ProgrammingError
        conninfo_to_dict(value)
    except psycopg.ProgrammingError:
        raise InvalidSetting(
            f"{setting} is not an address of PostgreSQL: write it as postgresql://user:password@host:5432/database."
        ) from None
    return value


def _set_config(values: dict[str, str]) -> psycopg.sql.Composed:
    """Write one statement that sets those of the settings that this server has (`transaction_timeout` is of 17)."""
    rows = psycopg.sql.SQL(", ").join(psycopg.sql.SQL("({}, {})").format(name, value) for name, value in values.items())
    return psycopg.sql.SQL(
        "SELECT set_config(wanted.name, wanted.value, false) FROM (VALUES {}) AS wanted (name, value)"
        " JOIN pg_settings USING (name)"
    ).format(rows)
