"""A file of our own tables as CSV, through the encoder of the exports: with an event of its own, without a receipt."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select

from core.csv.copy_out import Block, copy_csv, render
from core.csv.format import BOM, make_header
from core.db.database import Database
from core.db.relations import hold_tables
from core.errors import ExportTooSlow


class OwnFile:
    """A running copy whose first block is in hand already. `export_id` is the subject of its event."""

    # Nobody asks for the number of rows.
    total: int | None = None

    def __init__(
        self, name: str, export_id: UUID, database: Database, head: bytes, blocks: AsyncGenerator[Block]
    ) -> None:
        self.export_id = export_id
        self.filename = f"{name}_{datetime.now(UTC):%Y-%m-%d}_{str(export_id)[:8]}.csv"
        self._database = database
        self._head = head
        self._blocks = blocks

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the body: BOM, header, rows in their order. Raises `DatabaseUnavailable` where it is cut."""
        yield self._head
        while True:
            await asyncio.sleep(0)
            with self._database.translated_errors():
                block = await anext(self._blocks, None)
            if block is None:
                return
            yield block.data


@asynccontextmanager
async def start_own_file(
    database: Database,
    name: str,
    columns: Sequence[str],
    make_query: Callable[[], Select[Any]],
    record: Callable[[UUID], None],
    *,
    first_byte_timeout: float,
) -> AsyncIterator[OwnFile]:
    """Start a copy: its event is committed by `record` and its first block fetched on entry.

    `make_query` gives the columns as text; both functions run in a thread. Leaving the block ends the copy and its
    statement. Raises `DatabaseUnavailable`, also where the tables were changed since the snapshot, and `ExportTooSlow`
    when the first block takes too long.
    """
    export_id = uuid4()
    query = await asyncio.to_thread(make_query)
    # The snapshot comes first, so that a filter of today does not meet the event of its own file.
    connection = await database.connect_for_export()
    try:
        await asyncio.to_thread(record, export_id)
        async with aclosing(copy_csv(connection, query)) as blocks:
            try:
                async with asyncio.timeout(first_byte_timeout):
                    with database.translated_errors():
                        await hold_tables(connection, render(connection, query))
                        first = await anext(blocks, Block(b"", 0))
            except TimeoutError:
                raise ExportTooSlow(
                    f"The file did not begin within {first_byte_timeout:g} seconds: choose fewer days."
                ) from None
            yield OwnFile(name, export_id, database, BOM + make_header(columns) + first.data, blocks)
    finally:
        await connection.close()
