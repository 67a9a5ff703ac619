"""How PostgreSQL would run a statement: what it plans, without running it.

A plan tells of indexes whatever is behind a name: a table, partitions, or a view with expressions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from core.db.topology import topology_of
from core.errors import DatabaseUnavailable

NO_SETTINGS: Mapping[str, str] = {}

# Costs are not to decide between an index and none on a small table; and an index is to give the order.
INDEXES_ONLY = {"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off"}
BITMAPS_ONLY = {"enable_seqscan": "off", "enable_indexscan": "off", "enable_indexonlyscan": "off"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes of a plan, the topmost first."""

    nodes: list[dict[str, Any]]

    @property
    def rows(self) -> int:
        """The rows that PostgreSQL expects."""
        return max(0, int(self.nodes[0]["Plan Rows"]))

    @property
    def is_bounded(self) -> bool:
        """Whether every table is read by an index that has a condition, and no table as a whole."""
        return all("Index Cond" in node for node in self._scans)

    @property
    def is_sorted(self) -> bool:
        """Whether rows are sorted that no index gives in order."""
        return any(node["Node Type"] == "Sort" for node in self.nodes)

    @property
    def is_partly_sorted(self) -> bool:
        return any(node["Node Type"] == "Incremental Sort" for node in self.nodes)

    @property
    def uses_bitmap(self) -> bool:
        return any(node["Node Type"] == "Bitmap Index Scan" for node in self.nodes)

    @property
    def filters(self) -> frozenset[str]:
        """What is looked up in rows, because no index has told it."""
        return frozenset(node["Filter"] for node in self.nodes if "Filter" in node)

    @property
    def only_reads(self) -> bool:
        """Whether rows come from one table, or from partitions, as they are: neither joined nor computed further."""
        return all("Relation Name" in node or node["Node Type"] == "Append" for node in self.nodes)

    @property
    def output(self) -> list[str]:
        """The expressions that the statement gives, without the names of tables in front."""
        given = next(list(node["Output"]) for node in self.nodes if "Output" in node)
        names = {re.escape(_quoted(str(node["Alias"]))) for node in self.nodes if "Alias" in node}
        prefix = re.compile(rf"(?<![\w.\"])({'|'.join(sorted(names))})\.")
        return [prefix.sub("", each) for each in given] if names else given

    @property
    def _scans(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes if "Relation Name" in node]


def explain(connection: Connection, statement: str, settings: Mapping[str, str] = NO_SETTINGS) -> Plan:
    """Ask for the plan of a statement, under settings that are forgotten afterwards.

    Where the tables are distributed by Citus, it is the plan of a node for the largest part.
    Raises `DatabaseUnavailable` where one does not answer.
    """
    attempt = connection.begin_nested()
    try:
        if topology_of(connection).is_distributed:
            # The nodes get what is set from here on.
            settings = {"citus.propagate_set_commands": "local", "citus.explain_all_tasks": "on", **settings}
        for name, value in settings.items():
            connection.execute(text(f"SET LOCAL {name} = {value}"))
        found = connection.execute(text(f"EXPLAIN (VERBOSE, FORMAT JSON) {statement}")).scalar_one()
    finally:
        attempt.rollback()
    return read_plan(found if isinstance(found, list) else json.loads(found))


def read_plan(explained: list[dict[str, Any]]) -> Plan:
    """Read what EXPLAIN has told as JSON."""
    nodes = list(_nodes(explained[0]["Plan"]))
    job = next((node["Distributed Query"]["Job"] for node in nodes if "Distributed Query" in node), None)
    if job is None:
        return Plan(nodes)
    if not all("Remote Plan" in task for task in job["Tasks"]):
        raise DatabaseUnavailable("A node of Citus does not say how it plans: start it, or let the role in there.")
    parts = sorted((task["Remote Plan"][0][0]["Plan"] for task in job["Tasks"]), key=lambda part: part["Plan Rows"])
    return Plan(list(_nodes(parts[-1] | {"Plan Rows": sum(part["Plan Rows"] for part in parts)})))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
