"""Samples that nobody finishes: their last day is over, or what is left of them is gone or was decided anew."""

import time
from uuid import UUID

from sqlalchemy import select, text

from core.actor import HOUSE
from core.db.databases import Databases
from core.db.schema import sample_jobs, samples
from core.jobs.job import is_any_there, read_decisions
from core.review.finished_samples import LACKS_OPINIONS, finish

# Jobs of a sample without all their opinions, beyond which nobody looks what has become of them.
MOST_LEFT = 200

# Seconds for which nothing that is left could be judged: tables of jobs that are filled anew, commit by commit, have
# all of it again by then.
LASTING = 6 * 3600


def finish_samples(databases: Databases, lost: dict[UUID, float]) -> None:
    """Finish what takes no more verdicts, or could have no more for so long.

    `lost`: since when that is so of which sample, which one call leaves to the next.
    """
    ended = select(samples.c.sample_id).where(
        samples.c.finished_at.is_(None), samples.c.last_day < text("(now() AT TIME ZONE 'UTC')::date")
    )
    open_samples = select(samples.c.sample_id).where(samples.c.finished_at.is_(None))
    with databases.ours.transaction() as connection:
        finish(connection, connection.execute(ended).scalars().all())
        left = {
            sample_id: connection.execute(
                select(sample_jobs.c.job_id, sample_jobs.c.is_prohibited)
                .select_from(sample_jobs.join(samples, samples.c.sample_id == sample_jobs.c.sample_id))
                .where(LACKS_OPINIONS, samples.c.sample_id == sample_id)
                .limit(MOST_LEFT + 1)
            ).all()
            for sample_id in connection.execute(open_samples).scalars().all()
        }
    for sample_id, drawn in left.items():
        if len(drawn) > MOST_LEFT:
            continue
        with databases.source.transaction(is_snapshot=True) as connection:
            now = read_decisions(connection, HOUSE.wall, [job.job_id for job in drawn])
            if not (now or is_any_there(connection)):
                # Nothing is gone for good where there is nothing at all: tables are filled anew just now.
                lost.clear()
                return
        if any(job.job_id in now and now[job.job_id] is job.is_prohibited for job in drawn):
            lost.pop(sample_id, None)
        elif not drawn or time.monotonic() - lost.setdefault(sample_id, time.monotonic()) >= LASTING:
            with databases.ours.transaction() as connection:
                finish(connection, [sample_id])
