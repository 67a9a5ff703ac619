"""An index that is wanted: the statement that makes it, and what it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from core.check.plan import explain
from core.check.relation import Relation, is_plain

# Bytes of disk of an entry (docs/indexes.md), of trigrams for a whole prompt.
ENTRY = 60
TRIGRAMS = 100

# To guess how long an index is made: bytes a second that are read, twice because of CONCURRENTLY, and entries a second
# that are sorted, or taken apart into trigrams.
READ = 200_000_000
SORTED = 500_000
TAKEN_APART = 10_000

EVER = "created_at >= timestamptz '2000-01-01Z'"
# A few at a time, so that nodes of Citus put them in order themselves.
ORDER = "ORDER BY created_at, job_id LIMIT 50"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index that is wanted: for what, its columns, which rows, and the condition that it serves."""

    purpose: str
    columns: tuple[str, ...]
    condition: str
    rows: str = ""

    @property
    def statement(self) -> str:
        return f"SELECT FROM jobs WHERE {' AND '.join(filter(None, [self.condition, EVER]))} {ORDER}"


class Advisor:
    """Writes the statements that make indexes, on the one table that is behind a relation.

    `expressions` maps the columns of the relation to what they are in the table; empty where that cannot be found.
    """

    def __init__(self, connection: Connection, relation: Relation) -> None:
        self.relation = relation
        self.rows = explain(connection, f"SELECT FROM {relation.name}").rows
        roots = [stored for stored in relation.behind if not stored.is_partition]
        self.table: str | None = None
        self.is_partitioned = False
        self.expressions: Mapping[str, str] = {name: name for name in relation.columns}
        if relation.is_view:
            self.expressions = self._find_expressions(connection) if len(roots) == 1 else {}
        if self.expressions:
            root = roots[0] if relation.is_view else next(each for each in relation.behind if each.oid == relation.oid)
            self.table, self.is_partitioned = root.place, root.kind == "p"

    def _find_expressions(self, connection: Connection) -> Mapping[str, str]:
        """Find what a view's columns are, where it reads a single table and does nothing else."""
        plan = explain(connection, f"TABLE {self.relation.name}")
        if not plan.only_reads:
            return {}
        return dict(zip(self.relation.columns, plan.output, strict=True))

    @property
    def has_expressions(self) -> bool:
        """Whether a view gives more than columns as they are."""
        return not all(is_plain(expression) for expression in self.expressions.values())

    def is_constant(self, column: str) -> bool:
        """Tell whether a view gives the same for all rows, as `'prompt'::text`."""
        expression = self.expressions.get(column, column)
        return re.fullmatch(r"'([^']|'')*'::[\w ]+|NULL::[\w ]+|true|false|\d+", expression) is not None

    def statements(self, wanted: Wanted, method: str = "", element: str = "{}", unique: str = "") -> tuple[str, ...]:
        """Write the statement of an index; for a partitioned table one a partition, and one that joins them."""
        if self.table is None:
            return ()
        columns = ", ".join(element.format(self._element(column)) for column in wanted.columns)
        where = f" WHERE {self._condition(wanted.rows)}" if wanted.rows else ""
        end = f"{method} ({columns}){where};"
        if self.is_partitioned:
            each = (f"CREATE INDEX CONCURRENTLY ON {table.place}{end}" for table in self.relation.tables)
            return (*each, f"CREATE INDEX ON {self.table}{end}")
        return (f"CREATE {unique}INDEX CONCURRENTLY ON {self.table}{end}",)

    def cost(self, rows: int, entry: int, speed: int) -> str:
        """Say what an index of so many entries takes."""
        seconds = 2 * self.relation.size / READ + rows / speed
        return f"about {print_size(rows * entry)} of disk and {print_seconds(seconds)} to make"

    def _element(self, column: str) -> str:
        expression = self.expressions[column]
        return expression if is_plain(expression) or _is_enclosed(expression) else f"({expression})"

    def _condition(self, rows: str) -> str:
        column, _, rest = rows.partition(" ")
        return f"{self._element(column)} {rest}".strip()


def _is_enclosed(expression: str) -> bool:
    """Tell whether the first parenthesis is closed by the last one."""
    depth = 0
    for place, character in enumerate(expression):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return place == len(expression) - 1 and place > 0
    return False


def print_size(size: float) -> str:
    """Write bytes as people do."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def print_seconds(seconds: float) -> str:
    """Write a guess of time; what is short is not told apart."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {max(1, round(seconds / 10)) * 10} seconds"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 3600)} hours"
