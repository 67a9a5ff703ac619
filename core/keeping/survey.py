"""What there is of jobs that are to be erased: rows, notes, drafts, and exports whose files may hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from core.db.databases import Databases


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be erased: one job, or all jobs of a client."""

    job_id: UUID | None = None
    client_id: str | None = None

    @property
    def condition(self) -> str:
        """Which rows of `job` are meant, in SQL."""
        return "job.job_id = :job_id" if self.job_id is not None else "job.client_id = :client_id"

    @property
    def parameters(self) -> dict[str, object]:
        return {"job_id": self.job_id, "client_id": self.client_id}

    def __str__(self) -> str:
        return f"the job {self.job_id}" if self.job_id is not None else f"all jobs of {self.client_id}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is of a target: jobs and logs (0 where they are not ours), notes, drafts, and exports.

    `exports` are receipts whose bounds and client include one of the jobs: the files may hold it.
    """

    jobs: int
    logs: int
    notes: int
    drafts: int
    exports: Sequence[Row[Any]]

    @property
    def is_empty(self) -> bool:
        return not (self.jobs or self.notes or self.drafts)


def survey(databases: Databases, target: Target) -> Survey:
    """Look what there is of a target, and change nothing."""
    with databases.ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        return _survey_in(connection, target, jobs_are_ours=databases.jobs_are_ours)


def _survey_in(connection: Connection, target: Target, *, jobs_are_ours: bool) -> Survey:
    def ask(query: str) -> Sequence[Any]:
        return connection.execute(text(query.format(condition=target.condition)), target.parameters).one()

    jobs = logs = 0
    seen = []
    if jobs_are_ours:
        found = ask(
            "SELECT count(*), min(client_id), min(created_at), max(created_at) FROM jobs AS job WHERE {condition}"
        )
        jobs, seen = found[0], [found[1:]]
        logs = ask("SELECT count(*) FROM moderation_logs JOIN jobs AS job USING (job_id) WHERE {condition}")[0]
    said = ask("""
        SELECT min(client_id), min(job_created_at), max(job_created_at), count(*) FILTER (WHERE note <> ''), (
            SELECT count(*) FROM review_drafts AS draft WHERE note <> '' AND (
                draft.job_id = CAST(:job_id AS uuid)
                OR draft.job_id IN (SELECT job_id FROM reviews AS job WHERE {condition})
            )
        ) FROM reviews AS job WHERE {condition}
    """)
    known = [each for each in (*seen, said[:3]) if each[0] is not None]
    exports = (
        []
        if not known
        else find_exports(
            connection, target, known[0][0], min(each[1] for each in known), max(each[2] for each in known)
        )
    )
    return Survey(jobs, logs, said[3], said[4], exports)


def find_exports(
    connection: Connection, target: Target, client_id: str, first: datetime, last: datetime
) -> Sequence[Row[Any]]:
    """Find the receipts whose files may hold a job: by what of it never changes, because the rest may have since."""
    query = text("""
        SELECT export_id, requested_by, via, started_at, status, rows FROM exports
        WHERE (filter ->> 'from')::timestamptz <= :last AND (filter ->> 'to')::timestamptz > :first
            AND (rows > 0 OR status = 'running') AND coalesce(exports.client_id, :client_id) = :client_id
            AND (exports.clients IS NULL OR :client_id = ANY (exports.clients))
            AND (CAST(:job AS text) IS NULL OR filter ->> 'job_id' IS NULL OR EXISTS (
                SELECT FROM unnest(string_to_array(filter ->> 'job_id', ',')) AS prefix
                WHERE starts_with(CAST(:job AS text), lower(prefix))
            ))
        ORDER BY started_at, export_id
    """)
    job = None if target.job_id is None else str(target.job_id)
    return connection.execute(query, {"first": first, "last": last, "client_id": client_id, "job": job}).all()
