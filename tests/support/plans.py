"""The plans that PostgreSQL chooses, and what they do."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

from core.csv.copy_out import render
from core.db.databases import Databases
from core.db.session_settings import SESSION


def explain(databases: Databases, query: Any) -> list[dict[str, Any]]:
    """Run a query in a session as pages use it, and return the nodes of its plan."""

    async def run() -> Any:
        connection = await databases.source.connect_for_export()
        try:
            await connection.execute("RESET enable_sort")
            for name, value in SESSION.items():
                await connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            cursor = await connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {render(connection, query)}")
            row = await cursor.fetchone()
        finally:
            await connection.close()
        assert row is not None
        return row[0] if isinstance(row[0], list) else json.loads(row[0])

    return list(_nodes(asyncio.run(run())[0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def sequential(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]


def sorted_rows(nodes: list[dict[str, Any]]) -> float:
    return max((node["Actual Rows"] for node in nodes if "Sort" in node["Node Type"]), default=0)


def read_blocks(nodes: list[dict[str, Any]]) -> int:
    """Return the blocks (8 KiB) that a plan touched, in memory or not."""
    return int(nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"])


def scanned(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the tables that a plan names, whether or not it comes to read them."""
    return {node["Relation Name"] for node in nodes if "Relation Name" in node}


def read(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the tables that a plan has read."""
    return {node["Relation Name"] for node in nodes if "Relation Name" in node and node["Actual Loops"] > 0}
