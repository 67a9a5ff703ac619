"""What is withheld from people who may read jobs, but not the texts that deserve a right of their own."""

from sqlalchemy import Connection, select

from core.db.schema import noted_reasons
from core.errors import InvalidSetting
from core.jobs.filter import Category
from core.settings import Settings


def parse_withheld(settings: Settings) -> frozenset[Category]:
    """Return the categories of FENCEPOST_WITHHELD. Raises `InvalidSetting`."""
    named = set(filter(None, map(str.strip, settings.fencepost_withheld.split(","))))
    if not named <= set(Category):
        raise InvalidSetting(f"FENCEPOST_WITHHELD names an unknown category: choose among {', '.join(Category)}.")
    return frozenset(map(Category, named))


def read_withheld_reasons(connection: Connection) -> list[str]:
    """Return the reasons that staff have marked as underage: texts beside them are withheld like flagged ones."""
    return list(connection.execute(select(noted_reasons.c.reason).where(noted_reasons.c.is_underage)).scalars())
