"""An export of verdicts: as one of jobs, but from our own tables, where they remember their jobs."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from core.csv.copy_out import Block, copy_csv, render
from core.db.databases import Databases
from core.db.relations import hold_tables
from core.errors import InvalidParameter
from core.export.export import Export
from core.export.receipts import Contents
from core.export.review_columns import HEADER, review_query
from core.jobs.filter import CLIENT_ID, FROM, TO, JobFilter
from core.jobs.parameters import quote
from core.jobs.wall import Wall

# What a verdict can be asked for by: when its job was created, and whose that is.
PARAMETERS = {parameter.name: parameter for parameter in (FROM, TO, CLIENT_ID)}


def parse_review_filter(params: Iterable[tuple[str, str]]) -> JobFilter:
    """Parse the parameters of a request for verdicts. Raises `InvalidParameter` as `JobFilter.from_params` does."""
    given = list(params)
    for name, _ in given:
        if name not in PARAMETERS:
            raise InvalidParameter(
                f"{quote(name)} is not a parameter of this export: remove it. Known are {', '.join(PARAMETERS)}."
            )
    return JobFilter.from_params(given)


def count_reviews(databases: Databases, job_filter: JobFilter, wall: Wall, *, limit: int) -> int:
    """Count the verdicts that an export would have, as far as `limit`."""
    found = review_query(job_filter, wall).limit(limit).subquery()
    with databases.ours.transaction() as connection:
        return connection.execute(select(func.count()).select_from(found)).scalar_one()


class ReviewExport(Export):
    """A running export of verdicts whose first block is in hand already."""

    contents = Contents.REVIEWS
    header = HEADER

    async def _begin(self, wall: Wall, *, with_total: bool) -> datetime:
        ours = self._databases.ours
        self._connection = connection = await ours.connect_for_export()
        query = review_query(self._filter, wall)
        with ours.translated_errors():
            row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
            assert row is not None
            await hold_tables(connection, render(connection, query))
            if with_total:
                counted = await connection.execute(
                    render(connection, select(func.count()).select_from(query.subquery()))
                )
                self.total = (await counted.fetchone() or (0,))[0]
            self._blocks = copy_csv(connection, query)
            self._first = await anext(self._blocks, Block(b"", 0))
        snapshot_at: datetime = row[0]
        return snapshot_at
