"""Whole documents, byte for byte."""

from collections.abc import Callable
from datetime import timedelta
from subprocess import CompletedProcess
from uuid import UUID

import psycopg

from tests.rows import NOON, insert_job, insert_log

HEADER = (
    b"\xef\xbb\xbfjob_id,type,status,is_prohibited,created_at,completed_at,prompt,reason,"
    b"category_ai_adult_general,category_underage,category_nsfw\n"
)
APRIL = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z")

RunCore = Callable[..., CompletedProcess[bytes]]


def test_document_without_jobs_is_bom_and_header(run_core: RunCore) -> None:
    """An empty range gives the byte order mark and the header line, nothing else."""
    assert run_core("export", *APRIL).stdout == HEADER


def test_latest_log_counts_and_ties_go_to_the_greater_log_id(run_core: RunCore, connection: psycopg.Connection) -> None:
    """A job with two logs of one time shows the one that was written last; no job is repeated."""
    job_id = insert_job(connection, job_id=UUID(int=1))
    insert_log(connection, job_id, category_nsfw=True)
    insert_log(connection, job_id, category_underage=None)
    insert_log(connection, job_id, created_at=NOON - timedelta(seconds=1), category_ai_adult_general=True)

    assert run_core("export", *APRIL).stdout == HEADER + (
        b"00000000-0000-0000-0000-000000000001,prompt,completed,false,2026-04-15T12:00:00.000000Z,,a prompt,,"
        b"false,,false\n"
    )
