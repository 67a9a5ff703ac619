"""The server of the source: its version, whether it is a standby, and what of its settings cuts exports."""

from collections.abc import Iterator
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Row, text

from core.check.finding import Finding, advice, ok, problem
from core.db.database import POOL_SIZE, Database
from core.settings import Settings

# The newest version that the tests run on.
NEWEST_VERSION = 18

_SERVER = text("""
    SELECT current_setting('server_version_num')::int / 10000 AS version,
        current_setting('server_version') AS full_version,
        pg_is_in_recovery() AS is_standby, current_setting('server_encoding') AS encoding,
        current_setting('hot_standby_feedback')::boolean AS feedback,
        (SELECT setting::int FROM pg_settings WHERE name = 'max_standby_streaming_delay') AS delay,
        current_setting('max_standby_streaming_delay') AS shown_delay,
        (SELECT setting::int FROM pg_settings WHERE name = 'old_snapshot_threshold') AS threshold,
        least(
            current_setting('max_connections')::int,
            (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
            (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user)
        ) AS connections
""")


def check_server(connection: Connection, source: Database, settings: Settings) -> Iterator[Finding]:
    """Look at the server that answers."""
    server = connection.execute(_SERVER).one()
    info = connection.connection.driver_connection.info  # type: ignore[union-attr]
    standby = ", a standby" if server.is_standby else ""
    where = " Statements are for its primary, where it is not said otherwise." if server.is_standby else ""
    place = f" (at {info.host}:{info.port})" if _has_several_hosts(source) else ""
    setting = source.setting[:1].upper() + source.setting[1:]
    yield ok(f"{setting} is PostgreSQL {server.full_version.split()[0]}{standby}: {source}{place}.{where}")
    if server.version > NEWEST_VERSION:
        yield advice(
            f"Fencepost is tested up to PostgreSQL {NEWEST_VERSION}: look for a newer Fencepost, or test this one."
        )
    if source.is_pooled:
        yield ok(
            f"A pooler such as PgBouncer stands in front of {source}: settings are made for each transaction, and no "
            "statement is prepared."
        )
    yield from _check_encoding(server)
    yield from _check_recovery(server, source)
    if server.threshold is not None and server.threshold >= 0:
        yield advice(
            "The server drops snapshots that are old (old_snapshot_threshold), and with them long exports: turn this "
            "off.",
            "ALTER SYSTEM SET old_snapshot_threshold = -1;  -- and restart the server",
        )
    wanted = POOL_SIZE + settings.fencepost_exports_total + settings.fencepost_export_workers
    if server.connections < wanted:
        yield advice(
            f"The server gives this role {server.connections} connections at most, and a process may want {wanted}: "
            "allow more, or lower FENCEPOST_EXPORTS_TOTAL."
        )


def _has_several_hosts(source: Database) -> bool:
    return "," in str(conninfo_to_dict(source.conninfo).get("host"))


def _check_encoding(server: Row[Any]) -> Iterator[Finding]:
    if server.encoding == "UTF8":
        yield ok("The database is encoded in UTF8.")
    elif server.encoding == "SQL_ASCII":
        yield problem(
            "The database is encoded in SQL_ASCII, which checks nothing: a text that is no UTF-8 ends an export. "
            "Move the data to a database with ENCODING 'UTF8'."
        )
    else:
        yield advice(
            f"The database is encoded in {server.encoding}, and everything is converted to UTF-8 on the way: better "
            "have a database with ENCODING 'UTF8'."
        )


def _check_recovery(server: Row[Any], source: Database) -> Iterator[Finding]:
    if not server.is_standby:
        if conninfo_to_dict(source.conninfo).get("target_session_attrs") in ("prefer-standby", "standby"):
            yield advice(
                f"{source.setting} prefers a standby, and none answers, so the primary does the work: look at the "
                "standby."
            )
        return
    if server.feedback or server.delay == -1:
        yield ok("The standby waits for long exports.")
        return
    yield advice(
        f"The standby drops a query that keeps it from following its primary for {server.shown_delay} "
        "(max_standby_streaming_delay), which cuts long exports: let it tell the primary what it still reads, there as "
        "a superuser. The primary then keeps old rows as long as an export runs.",
        "ALTER SYSTEM SET hot_standby_feedback = on;",
        "SELECT pg_reload_conf();",
    )
