"""How Citus distributes the two tables: whether each node can answer for its jobs and their logs alone."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.check.finding import Finding, advice, ok, problem
from core.check.relation import Relation
from core.db.topology import Placed, Topology, topology_of

_NODES = text("SELECT count(*) FROM pg_catalog.pg_dist_node WHERE shouldhaveshards AND isactive")


def check_distribution(connection: Connection, jobs: Relation, logs: Relation) -> Iterator[Finding]:
    """Say how the tables are distributed and, where a job and its logs may lie on two nodes, what to change."""
    topology = topology_of(connection)
    if not topology.is_citus:
        return
    if not topology.is_distributed:
        yield advice(
            "Citus is there, and neither `jobs` nor `moderation_logs` is distributed, so that the coordinator has all "
            "of both: distribute them by job_id, if there are many.",
            *_distribute(jobs, logs, "job_id", "create_distributed_table", "create_distributed_table"),
        )
        return
    yield _judge(topology, jobs, logs, connection.execute(_NODES).scalar_one())


def _judge(topology: Topology, jobs: Relation, logs: Relation, nodes: int) -> Finding:
    by = None if topology.jobs is None else topology.jobs.by_column
    if by is None:
        return problem(
            f"`jobs` is {_name(topology.jobs)}, and only `moderation_logs` is distributed by Citus: distribute both by "
            "job_id.",
            *_distribute(jobs, logs, "job_id", "create_distributed_table", "alter_distributed_table"),
        )
    placed = topology.logs
    if placed is not None and placed.by_column is None:
        return ok(f"Citus distributes `jobs` by {by} over {nodes} nodes, and each has a copy of `moderation_logs`.")
    if placed is None or topology.jobs is None or placed.group != topology.jobs.group:
        make = "create_distributed_table" if placed is None else "alter_distributed_table"
        wanted = by if by == "job_id" or by in logs.columns else "job_id"
        return problem(
            f"Citus distributes `jobs` by {by}, and `moderation_logs` is {_name(placed)}, so that a job and its logs "
            f"may lie on two nodes: distribute both by {wanted}, side by side.",
            *_distribute(jobs, logs, wanted, "" if wanted == by else "alter_distributed_table", make),
        )
    if by != "job_id" and not topology.joins_by_client:
        return problem(
            f"Citus distributes both tables by {by}, and a node finds the logs of a job by job_id or by a column "
            "client_id of both tables: distribute them by one of these.",
            *_distribute(jobs, logs, "job_id", "alter_distributed_table", "alter_distributed_table"),
        )
    uneven = "" if by == "job_id" else ". All jobs of a client lie on one node: a client with most jobs fills it alone"
    return ok(f"Citus distributes `jobs` and `moderation_logs` by {by} over {nodes} nodes, side by side{uneven}.")


def _name(placed: Placed | None) -> str:
    if placed is None:
        return "a table of the coordinator alone"
    return "copied to each node" if placed.by_column is None else f"distributed by {placed.by_column} apart from it"


def _distribute(jobs: Relation, logs: Relation, by: str, of_jobs: str, of_logs: str) -> Iterator[str]:
    """Write the calls that distribute both tables; none for `jobs` where it stays as it is."""
    table, of_logs_table = (next((stored.place for stored in each.behind), each.place) for each in (jobs, logs))
    if of_jobs:
        yield f"SELECT {of_jobs}('{table}', '{by}');"
    yield f"SELECT {of_logs}('{of_logs_table}', '{by}', colocate_with => '{table}');"
