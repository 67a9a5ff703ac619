"""The audit as a CSV file, through the encoder of the exports. It leaves an event of its own, and no receipt."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import Select, Text, cast, func, select

from core.access import Actor
from core.audit import Event, record
from core.audit_filter import AuditFilter
from core.csv_format import BOM, Block, copy_csv, guarded, instant, make_header
from core.database import Database, Databases, Folding
from core.errors import ExportTooSlow
from core.schema import audit_events

COLUMNS = ("seq", "at", "event", "actor", "address", "remote_address", "subject", "details", "hash")


class AuditFile:
    """A running copy of the audit whose first block is in hand already. `export_id` is the subject of its event."""

    # Nobody asks for the number of events.
    total: int | None = None

    def __init__(self, export_id: UUID, database: Database, first: Block, blocks: AsyncGenerator[Block]) -> None:
        self.export_id = export_id
        self.filename = f"audit_{datetime.now(UTC):%Y-%m-%d}_{str(export_id)[:8]}.csv"
        self._database = database
        self._first = first
        self._blocks = blocks

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the body: BOM, header, events in their order. Raises `DatabaseUnavailable` where it is cut."""
        yield BOM + make_header(COLUMNS) + self._first.data
        while True:
            await asyncio.sleep(0)
            with self._database.translated_errors():
                block = await anext(self._blocks, None)
            if block is None:
                return
            yield block.data


@asynccontextmanager
async def start_audit_file(
    databases: Databases, audit_filter: AuditFilter, by: Actor, *, first_byte_timeout: float
) -> AsyncIterator[AuditFile]:
    """Start a copy of the audit: its event is committed and its first block fetched on entry.

    The event is not in the file that it tells of. Leaving the block ends the copy and its statement.
    Raises `DatabaseUnavailable`, and `ExportTooSlow` when the first block takes too long.
    """
    export_id, database = uuid4(), databases.ours
    folding = await asyncio.to_thread(database.folding)
    connection = await database.connect_for_export()
    try:
        # The snapshot comes first, so that a filter of today does not meet the event of its own file.
        with database.translated_errors():
            await connection.execute("SELECT FROM audit_events LIMIT 1")
        details = {"filter": audit_filter.to_params()}
        await asyncio.to_thread(record, databases, Event.AUDIT_EXPORTED, by, subject=str(export_id), details=details)
        async with aclosing(copy_csv(connection, _file_query(audit_filter, folding))) as blocks:
            try:
                async with asyncio.timeout(first_byte_timeout):
                    with database.translated_errors():
                        first = await anext(blocks, Block(b"", 0))
            except TimeoutError:
                raise ExportTooSlow(
                    f"The file did not begin within {first_byte_timeout:g} seconds: choose fewer days."
                ) from None
            yield AuditFile(export_id, database, first, blocks)
    finally:
        await connection.close()


def _file_query(audit_filter: AuditFilter, folding: Folding) -> Select[tuple[str, ...]]:
    """Select events as text. Much of it was typed by others, so what a spreadsheet could run gets its guard always."""
    texts = {
        "seq": cast(audit_events.c.seq, Text),
        "at": instant(audit_events.c.at),
        **{name: guarded(audit_events.c[name]) for name in ("event", "actor", "address", "remote_address", "subject")},
        "details": cast(audit_events.c.details, Text),
        "hash": func.encode(audit_events.c.hash, "hex"),
    }
    query = select(*(texts[name].label(name) for name in COLUMNS)).where(*audit_filter.conditions(folding))
    # Time never goes back in the chain; so the index that serves the days serves the order.
    return query.order_by(audit_events.c.at, audit_events.c.seq)
