"""Slices by time: what a histogram of the jobs makes of them."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core.db.databases import Databases
from core.db.startup import open_databases
from core.export import time_slices
from core.export.time_slices import TimeSlices
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.query import JOB_KEY, PageKey
from core.jobs.wall import Wall
from core.settings import Settings
from tests.support.documents import april
from tests.support.rows import NOON, insert_job


@pytest.fixture
def databases(emptied_url: str) -> Iterator[Databases]:
    opened = open_databases(Settings(database_url=SecretStr(emptied_url)))
    yield opened
    opened.close()


def list_ends(databases: Databases, job_filter: JobFilter, jobs: int) -> list[PageKey]:
    """List where slices of so many jobs end."""

    async def run() -> list[PageKey]:
        slices = TimeSlices(job_filter, make_access(databases, Wall(None)))
        connection = await databases.source.connect_for_export()
        ends: list[PageKey] = []
        while (end := await slices.find_end(connection, ends[-1] if ends else None, jobs)) is not None:
            ends.append(end)
        await connection.close()
        return ends

    return asyncio.run(run())


def test_a_burst_is_divided_further(databases: Databases, emptied_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices follow each other, with about as many jobs as asked for: in days as in seconds, but not in one moment."""
    monkeypatch.setattr(time_slices, "FIRST_JOBS", 5)
    monkeypatch.setattr(time_slices, "STRETCHES", 10)
    spread = [NOON - timedelta(days=10) + number * timedelta(hours=9) for number in range(50)]
    burst = [NOON + number * timedelta(milliseconds=10) for number in range(200)]
    moment = [NOON + timedelta(days=3)] * 60
    with psycopg.connect(emptied_url) as connection:
        for number, created_at in enumerate(spread + burst + moment):
            insert_job(connection, job_id=UUID(int=number), created_at=created_at)

    ends = list_ends(databases, april(), 20)

    with databases.source.transaction() as connection:
        keys = [(row.created_at, row.job_id) for row in connection.execute(select(*JOB_KEY).order_by(*JOB_KEY))]
    bounds = [keys[0], *((end.created_at, end.job_id) for end in ends), (NOON + timedelta(days=30), UUID(int=0))]
    counts = [sum(start <= key < end for key in keys) for start, end in pairwise(bounds)]
    assert bounds == sorted(bounds)
    assert (sum(counts), counts[0]) == (310, 5)
    assert max(counts) in range(60, 100)
    assert all(count <= 60 for count in sorted(counts)[:-1])
    assert len(counts) > 8


def test_few_jobs_are_one_slice(databases: Databases, emptied_url: str) -> None:
    """Where there are no more jobs than a first slice has, there is no other."""
    with psycopg.connect(emptied_url) as connection:
        insert_job(connection)

    assert list_ends(databases, april(), 20) == []
