"""How a database folds the case of letters."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folding:
    """How the source folds case: the collation whose rules are used, or None for the database's own.

    `is_indexed`: there is an index of searches (`pg_trgm`) on prompts that are folded so.
    """

    collation: str | None
    is_indexed: bool = False
