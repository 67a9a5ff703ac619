"""Engines and connections: the only module that opens them."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy.exc
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection, Engine, create_engine, event, text

from core.characters import fit
from core.db.driver_errors import DriverErrors
from core.db.folding import Folding
from core.db.patient_connection import PatientConnection, set_limit
from core.db.relations import BEHIND, IS_OUTDATED, OUTDATED
from core.db.schema import OPTIONAL
from core.db.session_settings import EXPORT_SESSION, READ_ONLY, SESSION, pin_catalog, set_config
from core.db.topology import Topology, find_topology
from core.errors import DatabaseUnavailable, StatementDropped
from core.metrics.registry import TRANSACTIONS
from core.request_id import comment
from core.tracing import span

log = logging.getLogger("fencepost.database")

OLDEST_VERSION = 15

# Seconds. Long enough for a server that wakes up, short enough for a person who waits.
CONNECT_TIMEOUT = 5

# The same for a node of Citus: there is another way where it does not answer. libpq takes no less.
NODE_TIMEOUT = 2

# Seconds for which exports do without the nodes where one could not be asked.
NODES_PAUSE = 60

# A host that vanishes without a word is noticed: seconds of silence until the system asks, between its questions, and
# how many of these stay unanswered; and milliseconds until what was sent has to be acknowledged.
SILENCE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
SILENCE = SILENCE | {"tcp_user_timeout": 10_000}

# Seconds in which a connection of the pool has to answer before it is used.
PING_TIMEOUT = 2

# Tells whether a pooler is in between, and what names mean.
_ABOUT = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('search_path')"

# A long row makes libpq keep room for 256 KiB: it begins with 16, and would take a COPY in by as few.
BEGIN_EXPORT = f"{_ABOUT}, pg_catalog.repeat(' ', 200000)"

# Connections of a process for short transactions, at most.
POOL_SIZE = 16

# Seconds after which a pooled connection is made anew where the URL names several servers: while a standby was away,
# connections went to another one.
RECYCLE = 60


class Database:
    """One PostgreSQL database: a pool for short transactions, and single connections for exports."""

    def __init__(
        self,
        setting: str,
        conninfo: str,
        *,
        read_only: bool,
        remedy: str,
        revive: Callable[[], bool] | None = None,
    ) -> None:
        # Starts its server again where that has stopped; it tells whether another try is worth it.
        self._revive = revive
        self.setting = setting
        defaults: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "fencepost"} | SILENCE
        # Not a default: what is sent and read here is UTF-8, whatever the role, the machine or the URL prefers.
        self.conninfo = make_conninfo(**(defaults | conninfo_to_dict(conninfo) | {"client_encoding": "utf8"}))
        self.read_only = read_only
        self.remedy = remedy
        self._errors = DriverErrors(setting=setting, conninfo=self.conninfo, read_only=read_only, remedy=remedy)
        self._session = SESSION | (READ_ONLY if read_only else {})
        # Whether a pooler stands in front of the server, such as PgBouncer: it answers with a process's number of its
        # own. It may lend a connection of the server for one transaction at a time.
        self.is_pooled = False
        self._folding: Folding | None = None
        self._tells_api_keys: bool | None = None
        self._topology: Topology | None = None
        # How long who asks in a thread has for a connection.
        self._patience = threading.local()
        self._found_beside: frozenset[str] | None = None
        self._nodes_from = -math.inf
        self.engine = self._create_engine()

    @contextmanager
    def transaction(self, *, timeout: float | None = None, is_snapshot: bool = False) -> Iterator[Connection]:
        """Run a transaction of at most `timeout` seconds a statement, whatever the server or the network does.

        `is_snapshot`: all its statements read what the first one does. Raises `StatementDropped` at the end where
        tables are others by then, so that rows that had moved were not read.

        Raises `DatabaseUnavailable` or `QueryTooSlow` in place of the drivers' errors, which may quote statements
        and values.
        """
        label = "source" if self.read_only else "ours"
        is_ending = False
        try:
            with (
                TRANSACTIONS.labels(label).time(),
                span("database transaction", {"db.system.name": "postgresql", "fencepost.database": label}),
                self.translated_errors(),
                self._lend(timeout, is_snapshot=is_snapshot) as connection,
                connection.begin(),
            ):
                if self.is_pooled:
                    driver = connection.connection.driver_connection
                    assert isinstance(driver, psycopg.Connection)
                    driver.execute(set_config(self._session, is_local=True))
                elif timeout is None and self.read_only:
                    # After its first query, whichever it is, a transaction cannot be made one that writes.
                    connection.execute(text("SELECT"))
                if timeout is not None:
                    milliseconds = max(1, round(timeout * 1000))
                    connection.execute(
                        text("SELECT set_config('statement_timeout', :value, true)"), {"value": str(milliseconds)}
                    )
                yield connection
                if is_snapshot and connection.execute(text(IS_OUTDATED)).scalar_one():
                    raise StatementDropped(OUTDATED)
                is_ending = True
        except DatabaseUnavailable as error:
            error.may_be_done = is_ending
            raise

    async def connect_for_export(
        self,
        beside: psycopg.AsyncConnection | None = None,
        snapshot: str | None = None,
        at: tuple[str, int] | None = None,
    ) -> psycopg.AsyncConnection:
        """Open a connection for an export, in a transaction that reads one snapshot and that nothing makes writable.

        `beside` another one it goes to that one's server, of all that a URL may name: a snapshot lives on one server.
        `snapshot` names the one to read; without it a new one is taken. `at` is host and port of another server, which
        takes the same role and password, as a node of Citus does.
        """
        conninfo = self.conninfo
        if at is not None:
            parts: dict[str, Any] = {**conninfo_to_dict(conninfo), "host": at[0], "port": at[1]}
            parts.pop("hostaddr", None)
            conninfo = make_conninfo(**(parts | {"target_session_attrs": "any", "connect_timeout": NODE_TIMEOUT}))
        elif beside is not None:
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
                found = await (await connection.execute(BEGIN_EXPORT)).fetchone()
                is_pooled = found is None or found[0] != connection.info.backend_pid
                session = EXPORT_SESSION | ({} if found is None else pin_catalog(found[1]))
                if is_pooled:
                    connection.prepare_threshold = None
                else:
                    await connection.execute(set_config(session))
                await connection.set_autocommit(False)
                await connection.set_read_only(True)
                await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                # Whichever it is, it settles snapshot and mode of the transaction.
                first = "SELECT" if snapshot is None else "SET TRANSACTION SNAPSHOT {}"
                await connection.execute(psycopg.sql.SQL(first).format(snapshot))
                if is_pooled:
                    await connection.execute(set_config(session, is_local=True))
            except BaseException:
                await connection.close()
                raise
        return connection

    def may_ask_nodes(self) -> bool:
        """Tell whether exports may try to ask the nodes of Citus themselves."""
        return time.monotonic() >= self._nodes_from

    def leave_nodes(self) -> None:
        """Let exports leave the nodes alone for a while: one could not be asked, and trying takes time."""
        self._nodes_from = time.monotonic() + NODES_PAUSE

    def vacuum(self, *tables: str, full: bool = False) -> None:
        """Vacuum and analyse tables, which runs in no transaction; `full` writes them anew, while nobody uses them."""
        with (
            self.translated_errors(),
            self._lend(None) as lent,
            lent.execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            if not self.is_pooled:
                connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"VACUUM ({'FULL, ' if full else ''}ANALYZE) {', '.join(tables)}"))
            if not self.is_pooled:
                connection.execute(text(f"SET statement_timeout = {SESSION['statement_timeout']}"))

    def topology(self) -> Topology:
        """Tell where the rows of jobs and logs lie."""
        if self._topology is None:
            with self.transaction():
                pass
        assert self._topology is not None
        return self._topology

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
                            AND collencoding IN (
                                -1, (SELECT encoding FROM pg_database WHERE datname = current_database())
                            )
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

    def tells_api_keys(self) -> bool:
        """Tell whether `jobs` has the columns of API keys, which a source may lack, and this role may read them."""
        if self._tells_api_keys is None:
            with self.transaction() as connection:
                found = connection.execute(
                    text("""
                        SELECT count(*) FROM pg_attribute
                        WHERE attrelid = to_regclass('jobs') AND attname = ANY (:names) AND NOT attisdropped
                            AND has_column_privilege(attrelid, attnum, 'SELECT')
                    """),
                    {"names": list(OPTIONAL)},
                )
                self._tells_api_keys = found.scalar_one() == len(OPTIONAL)
        return self._tells_api_keys

    def has_facts(self) -> bool:
        """Tell whether facts are kept beside the jobs here, and may be read (core/facts/statements.py)."""
        return "job_facts_state" in self._beside()

    def counts_reasons(self) -> bool:
        """Tell whether reasons are counted beside the facts, and may be read (core/facts/reasons.py)."""
        return "job_reasons" in self._beside()

    def writes_times(self) -> bool:
        """Tell whether facts hold times as an export writes them."""
        return "created_text" in self._beside()

    def _beside(self) -> frozenset[str]:
        if self.topology().is_distributed:
            # No triggers keep them there (core/db/migrations/distributed.py): their tables are empty.
            return frozenset()
        if self._found_beside is None:
            with self.transaction() as connection:
                found = connection.execute(
                    text("""
                        SELECT name FROM unnest(ARRAY['job_facts_state', 'job_reasons']) AS name
                        WHERE has_table_privilege(to_regclass(name), 'SELECT')
                        UNION ALL
                        SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('job_facts')
                            AND attname = 'created_text' AND has_column_privilege(attrelid, attnum, 'SELECT')
                    """)
                )
                self._found_beside = frozenset(found.scalars())
        return self._found_beside

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Turn the drivers' errors into Fencepost's; what is logged of them is their class and SQLSTATE."""
        try:
            yield
        except sqlalchemy.exc.TimeoutError:
            raise DatabaseUnavailable(f"All connections to {self} are in use: try again in a few seconds.") from None
        except sqlalchemy.exc.DBAPIError as error:
            raise self._errors.translate(error.orig) from None
        except psycopg.Error as error:
            raise self._errors.translate(error) from None

    @contextmanager
    def _lend(self, timeout: float | None, *, is_snapshot: bool = False) -> Iterator[Connection]:
        """Lend a connection of the pool that waits for each answer a little longer than the server may take."""
        self._patience.seconds = timeout
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            set_limit(driver, None if timeout is None else timeout + PING_TIMEOUT / 2)
            try:
                if self._topology is None:
                    # Statements are written for it, so it is known before the first one.
                    self._topology = find_topology(connection)
                    self.engine.dialect.topology = self._topology  # type: ignore[attr-defined]
                    connection.rollback()
                if is_snapshot:
                    # Until it goes back to the pool.
                    connection.execution_options(isolation_level="REPEATABLE READ")
                yield connection
            finally:
                set_limit(driver, PING_TIMEOUT)

    def close(self) -> None:
        self.engine.dispose()

    def __str__(self) -> str:
        """Name the database without its password."""
        return str(self._errors)

    def _create_engine(self) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=POOL_SIZE // 2,
            max_overflow=POOL_SIZE // 2,
            pool_timeout=CONNECT_TIMEOUT,
            pool_pre_ping=True,
            pool_use_lifo=True,
            pool_recycle=RECYCLE if "," in str(conninfo_to_dict(self.conninfo).get("host")) else -1,
            hide_parameters=True,
            # It is no type of ours, and to look for it costs a question when the first connection is made.
            use_native_hstore=False,
        )
        event.listen(engine, "before_cursor_execute", _prepare, retval=True)
        return engine

    def _connect(self) -> psycopg.Connection:
        patience = getattr(self._patience, "seconds", None) or math.inf
        limit = min(CONNECT_TIMEOUT, max(1, math.ceil(min(patience, 600)) - PING_TIMEOUT))
        conninfo = make_conninfo(self.conninfo, connect_timeout=limit)
        try:
            connection = PatientConnection.connect(conninfo, autocommit=True)
        except psycopg.OperationalError:
            if self._revive is None or not self._revive():
                raise
            connection = PatientConnection.connect(conninfo, autocommit=True)
        connection.limit = limit
        try:
            if connection.info.server_version < OLDEST_VERSION * 10000:
                version = connection.info.server_version // 10000
                raise DatabaseUnavailable(
                    f"{self.setting} is PostgreSQL {version}, and Fencepost needs {OLDEST_VERSION} or newer."
                )
            encoding = connection.info.parameter_status("server_encoding")
            if not self.read_only and encoding != "UTF8":
                # A source in another one is read as it is: `core check` says what that means.
                raise DatabaseUnavailable(
                    f"{self.setting} is encoded in {encoding}, and Fencepost needs UTF8: make a database with "
                    "`createdb -E UTF8 -T template0`."
                )
            found = connection.execute(_ABOUT).fetchone()
            self.is_pooled = found is None or found[0] != connection.info.backend_pid
            self._session |= {} if found is None else pin_catalog(found[1])
            if self.is_pooled:
                # A prepared statement or a setting of the session would be found by whoever is lent it next.
                connection.prepare_threshold = None
                connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
            else:
                connection.execute(set_config(self._session))
            connection.set_autocommit(False)
            connection.set_read_only(self.read_only or None)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(
    connection: object, cursor: psycopg.Cursor, statement: str, parameters: Any, context: object, executemany: bool
) -> tuple[str, Any]:
    """Let the server's log and `pg_stat_activity` tell which request a statement belongs to; and fit its values."""
    return comment(statement), fit(parameters, cursor.connection.info.parameter_status("server_encoding"))
