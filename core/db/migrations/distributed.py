"""Jobs over the nodes of Citus, where `core migrate --distributed` has made their tables so."""

from sqlalchemy import Connection, text

from core.db.partitions import is_partitioned
from core.db.topology import find_topology
from core.errors import NotPossible
from core.program import COMMAND

# Its triggers would have to read what a statement has changed, which no node has seen.
NONE_WHERE_DISTRIBUTED = (
    "No facts are kept beside jobs that Citus distributes: breakdowns, and filters of decisions and categories, read "
    "the jobs themselves, on all nodes side by side."
)

_NODES = text("SELECT count(*) FROM pg_catalog.pg_dist_node WHERE shouldhaveshards AND isactive")
_ANY_ROW = text("SELECT FROM jobs LIMIT 1")

# Citus takes no triggers on distributed tables, and no key without what they are distributed by.
_DROP_TRIGGERS = text("""
    SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
    WHERE tgrelid IN (to_regclass('jobs'), to_regclass('moderation_logs')) AND NOT tgisinternal ORDER BY 1
""")
_KEY = text("ALTER TABLE moderation_logs DROP CONSTRAINT moderation_logs_pkey, ADD PRIMARY KEY (job_id, log_id)")

# One statement after the other on one connection to each node, because a foreign key joins the tables.
_DISTRIBUTE = (
    text("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"),
    text("SELECT create_distributed_table('jobs', 'job_id', colocate_with => 'none')"),
    text("SELECT create_distributed_table('moderation_logs', 'job_id', colocate_with => 'jobs')"),
)


def distribute(connection: Connection, setting: str) -> None:
    """Distribute the empty tables of jobs and logs by `job_id`, side by side; leave them where they are so already.

    Raises `NotPossible` where there are jobs, or no node that takes them.
    """
    topology = find_topology(connection)
    if not topology.is_citus or not connection.execute(_NODES).scalar_one():
        named = setting[:1].upper() + setting[1:]
        raise NotPossible(
            f"{named} names no coordinator of Citus with nodes: let its superuser run CREATE EXTENSION citus and "
            "citus_add_node() in this database, or leave --distributed out."
        )
    if topology.is_distributed:
        return
    if is_partitioned(connection) or connection.execute(_ANY_ROW).first() is not None:
        raise NotPossible(
            "There are jobs, or months for them, in this database already: --distributed is for a new one. "
            f"Make it, and import there what `{COMMAND} export` gives of this one."
        )
    prepare(connection)
    for statement in _DISTRIBUTE:
        connection.execute(statement)


def prepare(connection: Connection) -> None:
    """Make of the tables of jobs and logs what can be distributed: without triggers, so that no facts are kept."""
    for statement in connection.execute(_DROP_TRIGGERS).scalars().all():
        connection.exec_driver_sql(statement)
    connection.execute(_KEY)
