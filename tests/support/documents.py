"""Whole documents, exported in the tests' own process the way every door does it."""

import asyncio
import csv
import io
from contextlib import aclosing

from core.actor import Actor, Scope
from core.db.databases import Databases
from core.export.export import Reader, start_export
from core.export.receipts import Via
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall

BOM = b"\xef\xbb\xbf"
HEADER = (
    BOM + b"job_id,type,status,is_prohibited,created_at,completed_at,prompt,reason,"
    b"category_ai_adult_general,category_underage,category_nsfw\n"
)
APRIL = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


def april(**params: str) -> JobFilter:
    """Return the filter of these parameters in April 2026."""
    return JobFilter.from_params((APRIL | params).items())


def export_document(
    databases: Databases, job_filter: JobFilter, wall: Wall | None = None, *, workers: int = 1
) -> bytes:
    """Export to the end and return the body."""
    blocks: list[bytes] = []
    # Not as what the coroutine returns: asyncio writes that out, all of it, to look up whose signal handler it has.
    asyncio.run(_export(databases, job_filter, wall or Wall(None), workers, blocks))
    return b"".join(blocks)


def read_records(document: bytes) -> list[list[str]]:
    """Read a body as Python's csv does; the header is left out."""
    return list(csv.reader(io.StringIO(document.decode("utf-8-sig"), newline="")))[1:]


async def _export(databases: Databases, job_filter: JobFilter, wall: Wall, workers: int, into: list[bytes]) -> None:
    started = start_export(
        databases,
        job_filter,
        Actor("cli", wall, frozenset(Scope)),
        via=Via.CLI,
        reader=Reader(),
        first_byte_timeout=50,
        workers=workers,
    )
    async with started as running, aclosing(running.stream()) as blocks:
        into += [block async for block in blocks]
