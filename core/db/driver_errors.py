"""The drivers' errors, which quote statements and values, as Fencepost's own."""

import logging
import re
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core.errors import DatabaseRefuses, DatabaseUnavailable, NotPossible, QueryTooSlow, StatementDropped
from core.program import COMMAND

log = logging.getLogger("fencepost.database")

MIGRATE = f"run `{COMMAND} migrate`"

# What libpq says, without an SQLSTATE, of a server that goes or comes back.
_GONE = "server closed the connection|consuming input|the database system is (starting up|shutting down)"

_FULL = "has no connection left: raise its max_connections, close other clients, or lower FENCEPOST_EXPORTS_TOTAL"

# What PostgreSQL means by an SQLSTATE, or by a class of them (its first two characters), and whether the next try may
# well succeed. `{it}` is the database with its place, `{setting}` the name of its setting.
_MEANINGS: dict[str, tuple[type[DatabaseUnavailable], str]] = {
    # Made by the function `audit_append`.
    "FP001": (
        DatabaseRefuses,
        "The audit is hashed with a key, and FENCEPOST_AUDIT_KEY is not set here: set it as for the other processes "
        "and commands.",
    ),
    "42P01": (DatabaseUnavailable, "{setting} lacks a table or column that Fencepost needs: {remedy}."),
    "42703": (DatabaseUnavailable, "{setting} lacks a table or column that Fencepost needs: {remedy}."),
    "25006": (DatabaseRefuses, "{setting} cannot be written: name a database that is not read-only."),
    "42501": (
        DatabaseRefuses,
        "The role of {setting} lacks a right on Fencepost's tables: grant it (see docs/grants.md).",
    ),
    "55P03": (
        DatabaseUnavailable,
        "Another session is holding a lock in {it}: try again in a few seconds; if this goes on, `" + COMMAND + " "
        "check` may name it.",
    ),
    "40P01": (
        StatementDropped,
        "Two sessions were waiting for each other in {it}, and PostgreSQL ended one: try again in a few seconds.",
    ),
    # Nothing here runs at a level that fails so of itself: it is a conflict with recovery.
    "40001": (
        StatementDropped,
        "{It} is a standby, and dropped a query that kept it from following its primary: try again in a few seconds.",
    ),
    "40": (StatementDropped, "{It} undid a transaction: try again in a few seconds."),
    "25P03": (StatementDropped, "{It} ended a transaction that had been waiting for too long: try again."),
    "25P04": (StatementDropped, "{It} ended a transaction that had been running for too long: try again."),
    "53100": (DatabaseRefuses, "The disk of {it} is full: make room there."),
    "53200": (DatabaseUnavailable, "{It} has run out of memory: try again later, or give its server more."),
    "53300": (DatabaseUnavailable, "{It} " + _FULL + "."),
    "53": (DatabaseUnavailable, "{It} has run out of a resource: look into its server's log."),
    "57P03": (StatementDropped, "{It} is starting up or shutting down: try again in a few seconds."),
    "57": (StatementDropped, "{It} was stopped or restarted: try again in a few seconds."),
    # What the source says of a server behind it (`postgres_fdw`, Citus); of itself it cannot.
    "08": (
        DatabaseUnavailable,
        "A server behind {setting} cannot be reached: start it, or correct its foreign server or user mapping, or its "
        "node of Citus.",
    ),
    "HV": (
        DatabaseUnavailable,
        "A foreign table of {setting} cannot be read: correct its foreign server, its user mapping or its options.",
    ),
    "28": (DatabaseUnavailable, "Cannot log in to {it}: correct the role or the password in {setting}."),
    "26": (
        DatabaseUnavailable,
        "A pooler in front of {it} mixes up sessions: see docs/own-database.md for how to set it up.",
    ),
    "42P05": (
        DatabaseUnavailable,
        "A pooler in front of {it} mixes up sessions: see docs/own-database.md for how to set it up.",
    ),
    "58": (DatabaseRefuses, "The server of {it} cannot read or write its files: look into its log."),
    "XX001": (DatabaseRefuses, "{It} has found damaged data: look into its server's log, and restore a backup."),
    "XX002": (DatabaseRefuses, "{It} has found a damaged index: look into its server's log, and REINDEX it."),
    "F0": (DatabaseRefuses, "The configuration of the server of {it} is wrong: look into its log."),
}

# The same of our own statements, where no other try can succeed.
_IMPOSSIBLE = {
    "54": "A value is too long for {it}, or for an index there: shorten it.",
    "3F000": "The role of {setting} has no schema to make tables in: give it a search_path with one that there is.",
    "42P07": "{setting} has something of another program under the name of one of Fencepost's tables: name a database "
    "that is empty, or a schema by the role's search_path.",
    "22P05": "{It} cannot hold a character that was given: move it to a database with ENCODING 'UTF8'.",
    "23": "{It} refused a row that contradicts another one (SQLSTATE {state}): look for triggers or constraints there "
    "that are none of Fencepost's.",
    "P0": "A trigger in {it} refused a statement (SQLSTATE {state}): look at the triggers there that are none of "
    "Fencepost's.",
}

# What libpq says of a connection that fails, in its words, because it gives no SQLSTATE for these.
_WORDS = {
    "too many clients|remaining connection slots|too many connections|no more connections allowed": "{It} "
    + _FULL
    + ".",
    "server does not support SSL": "The server of {it} has no TLS: take `sslmode` out of {setting}, or turn TLS on.",
    "certificate|SSL error": "The certificate of the server of {it} is not trusted: correct it, or `sslmode` and "
    "`sslrootcert` in {setting}.",
    "password|authentication|role .* does not exist|pg_hba|no such user": "Cannot log in to {it}: correct the role or "
    "the password in {setting}.",
    "No space left": "The disk of {it} is full: make room there.",
    "does not answer|timeout expired|timed out": "{It} does not answer: look at its server and at the network.",
    "could not translate host name|Name or service not known|resolve": "There is no host of the name that {setting} "
    "gives: correct it, or look at the network.",
}


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
        state = getattr(error, "sqlstate", None) or ""
        log.warning("database error: %s %s in %s", type(error).__name__, state, self.setting)
        if state == "57014":
            return QueryTooSlow("This search took too long; choose fewer days.")
        for known in (state, state[:2]):
            if known in _MEANINGS:
                kind, sentence = _MEANINGS[known]
                return kind(self._fill(sentence, state))
            if known in _IMPOSSIBLE and not self.read_only:
                return NotPossible(self._fill(_IMPOSSIBLE[known], state))
        if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            dropped = re.search(_GONE, str(error))
            return (StatementDropped if dropped else DatabaseUnavailable)(self._explain_connection(str(error)))
        if self.read_only:
            return NotPossible(
                f"{self.setting} does not answer a query as it should (SQLSTATE {state}): run `{COMMAND} "
                "check`, which says what types and values are wrong there."
            )
        return NotPossible(f"The database refused a statement (SQLSTATE {state}): this is a fault of Fencepost.")

    def _explain_connection(self, message: str) -> str:
        """Say what a failed connection means."""
        if re.search(r"database .* does not exist|no such database", message):
            name = conninfo_to_dict(self.conninfo).get("dbname")
            remedy = "correct its name" if self.read_only else f"make it with `createdb {name}`, then {MIGRATE}"
            return f"There is no database {name} in {self.setting}: {remedy}."
        for words, sentence in _WORDS.items():
            if re.search(words, message):
                return self._fill(sentence, "")
        return f"Cannot reach {self}: start PostgreSQL or correct {self.setting}."

    def _fill(self, sentence: str, state: str) -> str:
        it = str(self)
        return sentence.format(it=it, It=it[:1].upper() + it[1:], setting=self.setting, remedy=self.remedy, state=state)

    def __str__(self) -> str:
        """Name the database without its password."""
        parts = conninfo_to_dict(self.conninfo)
        host = parts.get("host") or parts.get("hostaddr") or "the local socket"
        port = f":{parts['port']}" if parts.get("port") else ""
        return f"the database {parts.get('dbname') or parts.get('user') or ''} at {host}{port}"
