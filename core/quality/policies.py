"""Under which versions of the policy the verdicts on a sample were given, and how many do not count any more."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from core.db.schema import reviews, sample_jobs
from core.policy.outdated import COUNTS


@dataclass(frozen=True, slots=True)
class Versions:
    """The oldest and the newest version under which counted verdicts were given (None: none had one).

    `without` so many were given before there was a policy; `left_out` so many under one that does not count any more.
    """

    oldest: int | None
    newest: int | None
    without: int
    left_out: int


def read_versions(connection: Connection, sample_id: UUID) -> Versions:
    """Read under which versions the verdicts on a sample were given."""
    version, is_current = reviews.c.policy_version, reviews.c.superseded_at.is_(None)
    query = (
        select(
            func.min(version).filter(COUNTS),
            func.max(version).filter(COUNTS),
            func.count().filter(COUNTS, version.is_(None)),
            func.count().filter(is_current, ~COUNTS),
        )
        .select_from(sample_jobs.join(reviews, reviews.c.job_id == sample_jobs.c.job_id))
        .where(sample_jobs.c.sample_id == sample_id)
    )
    return Versions(*connection.execute(query).one())
