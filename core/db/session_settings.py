"""The settings of PostgreSQL that each session gets, whatever a role or a machine prefers."""

import re

import psycopg

# psycopg reads times in no other form, whatever form a role or a machine prefers.
TIMES = {"DateStyle": "ISO", "IntervalStyle": "postgres", "TimeZone": "UTC"}


# Beside the mode of each transaction: a statement that ends its transaction unasked is not followed by one that writes.
READ_ONLY = {"default_transaction_read_only": "on"}


# One value for all sessions, so that no default of a role or a machine decides how long our statements may live.
# Milliseconds; statements of pages get their own limit for a transaction.
SESSION = TIMES | {
    "statement_timeout": "15000",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "60000",
    "transaction_timeout": "0",
    # The audit waits for its lock and then reads what others have committed meanwhile.
    "default_transaction_isolation": "read committed",
    # Pages read stretches of an index. A plan that begins with the whole table costs most just where it looks cheap:
    # while the table is small.
    "enable_seqscan": "off",
    # A statement asked for the tenth time would get one plan for all values, which cannot use an index that has some of
    # them only, such as that of the rare statuses.
    "plan_cache_mode": "force_custom_plan",
    # Of names that need no quotes PostgreSQL would say that they do, those of types among them, which are looked at.
    "quote_all_identifiers": "off",
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
        # Keys that records are put in order by.
        "bytea_output": "hex",
        # Each connection to a node has a snapshot of its own.
        "citus.max_adaptive_executor_pool_size": "1",
    }
)


# A schema in a search_path as PostgreSQL writes it.
_SCHEMA = re.compile(r'"(?:[^"]|"")*"|[^\s,"]+')

CATALOG = "pg_catalog"


def pin_catalog(path: str) -> dict[str, str]:
    """Return the setting under which names mean PostgreSQL's own things where they mean these; none where it is so.

    That is so unless a role or database has put another schema before them, which could answer in their place.
    """
    schemas = _SCHEMA.findall(path)
    if CATALOG not in schemas[1:]:
        return {}
    return {"search_path": ", ".join(schema for schema in schemas if schema != CATALOG)}


def set_config(values: dict[str, str], *, is_local: bool = False) -> psycopg.sql.Composed:
    """Write one statement that sets those of the settings that this server has (`transaction_timeout` is of 17).

    `is_local`: for this transaction only, as behind a pooler that lends its connections for a transaction each.
    """
    rows = psycopg.sql.SQL(", ").join(psycopg.sql.SQL("({}, {})").format(name, value) for name, value in values.items())
    # Nothing is known of the search_path yet.
    return psycopg.sql.SQL(
        "SELECT pg_catalog.set_config(wanted.name, wanted.value, {local}) FROM (VALUES {rows}) AS wanted (name, value)"
        " JOIN pg_catalog.pg_settings AS known ON known.name OPERATOR(pg_catalog.=) wanted.name"
    ).format(rows=rows, local=is_local)
