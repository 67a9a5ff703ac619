"""The drivers' errors, which quote statements and values, as Fencepost's own."""

import logging
import re
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core.errors import DatabaseUnavailable, NotPossible, QueryTooSlow, StatementDropped

log = logging.getLogger("fencepost.database")

MIGRATE = "run `python -m core migrate`"

# What libpq says, without an SQLSTATE, of a server that goes or comes back.
_GONE = "server closed the connection|consuming input|the database system is (starting up|shutting down)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverErrors:
    """What the errors of one database mean, in sentences that name its setting and the remedy, never a password."""

    setting: str
    conninfo: str
    read_only: bool
    # What to do where it lacks a table or column.
    remedy: str

    def translate(self, error: BaseException | None) -> Exception:
        """Return the error to raise in place of a driver's; what is logged of that are its class and SQLSTATE."""
        state = getattr(error, "sqlstate", None)
        log.warning("database error: %s %s in %s", type(error).__name__, state or "", self.setting)
        match error:
            case _ if state == "FP001":
                return DatabaseUnavailable(
                    "The audit is hashed with a key, and FENCEPOST_AUDIT_KEY is not set here: set it as for the other "
                    "processes and commands."
                )
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
                    f"The role of {self.setting} lacks a right on Fencepost's tables: grant it (see docs/grants.md)."
                )
            case psycopg.errors.DiskFull():
                return DatabaseUnavailable(f"The disk of {self} is full: make room there.")
            case psycopg.errors.LockNotAvailable():
                return DatabaseUnavailable(
                    f"Another session is holding a lock in {self}: try again in a few seconds; if this goes on, "
                    "`python -m core check` may name it."
                )
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

    def __str__(self) -> str:
        """Name the database without its password."""
        parts = conninfo_to_dict(self.conninfo)
        host = parts.get("host") or parts.get("hostaddr") or "the local socket"
        port = f":{parts['port']}" if parts.get("port") else ""
        return f"the database {parts.get('dbname') or parts.get('user') or ''} at {host}{port}"
