"""What joins a job and its logs where they are distributed by client: each node joins only what it knows to lie there.

Everywhere else it is nothing.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core.db.topology import ONE_SERVER, Topology


class IsOnOneNode(ColumnElement[bool]):
    """The condition that a row of `moderation_logs` and one of `jobs` are of one client, where that has to be said.

    Whether it has, is known of the database that a statement is written for, so that all of them stay as they are.
    """

    inherit_cache = True
    type = Boolean()


@compiles(IsOnOneNode)
def _write(element: IsOnOneNode, compiler: SQLCompiler, **_: Any) -> str:
    topology: Topology = getattr(compiler.dialect, "topology", ONE_SERVER)
    return "moderation_logs.client_id = jobs.client_id" if topology.joins_by_client else ""
