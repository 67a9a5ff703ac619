"""What plans tell, also those that Citus makes of a statement for its nodes. The rest is told by `core check`."""

from typing import Any

import pytest

from core.check.plan import read_plan
from core.errors import DatabaseUnavailable


def explained(*tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what Citus 13.2 explains of a statement that it sends to nodes, shortened."""
    scan = {
        "Node Type": "Custom Scan",
        "Custom Plan Provider": "Citus Adaptive",
        "Plan Rows": 100_000,
        "Distributed Query": {"Job": {"Task Count": len(tasks), "Tasks": list(tasks)}},
    }
    return [{"Plan": {"Node Type": "Sort", "Plan Rows": 100_000, "Plans": [scan]}}]


def task(table: str, rows: int) -> dict[str, Any]:
    scan = {"Node Type": "Index Scan", "Relation Name": table, "Index Cond": "(created_at > now())", "Plan Rows": rows}
    plan = {"Node Type": "Limit", "Plan Rows": rows, "Plans": [scan]}
    return {"Node": "host=a port=5432 dbname=jobs", "Remote Plan": [[{"Plan": plan}]]}


def test_the_plan_of_nodes_is_that_of_the_largest_part() -> None:
    """The coordinator's own steps say nothing of indexes; rows are those of all parts."""
    plan = read_plan(explained(task("jobs_102008", 10), task("jobs_102009", 400), task("jobs_102010", 30)))

    assert [node.get("Relation Name") for node in plan.nodes] == [None, "jobs_102009"]
    assert (plan.rows, plan.is_bounded, plan.is_sorted) == (440, True, False)


def test_a_node_that_does_not_answer_is_named() -> None:
    """Where a node gives no plan, that is what is wrong."""
    silent = {"Node": "host=a port=5432 dbname=jobs", "Error": "Could not get remote plan."}

    with pytest.raises(DatabaseUnavailable, match="A node of Citus does not say how it plans"):
        read_plan(explained(task("jobs_102008", 10), silent))
