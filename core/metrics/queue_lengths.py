"""How many jobs wait in the queues: counted now and then and not for each scrape, because all reviews are looked at."""

from sqlalchemy import func, select

from core.db.database import Database
from core.db.schema import reviews, sample_jobs, samples
from core.metrics.registry import QUEUES
from core.policy.outdated import COUNTS
from core.review.finished_samples import LACKS_OPINIONS
from core.review.queues import Queue, stands_in

# Of jobs without any review a queue has as many as there are.
_REVIEWED = (Queue.SECOND, Queue.DISAGREED, Queue.ESCALATED)

# Seconds. Where it takes longer the numbers stay as they were.
TIMEOUT = 5


def count_queues(database: Database) -> None:
    """Count the jobs of each queue, whoever may see them, for the next scrapes of this process.

    Raises `DatabaseUnavailable` or `QueryTooSlow`.
    """
    by_job = (
        select(*(stands_in(queue).label(queue.value) for queue in _REVIEWED))
        .where(COUNTS)
        .group_by(reviews.c.job_id)
        .subquery()
    )
    waiting = select(*(func.count().filter(by_job.c[queue.value]).label(queue.value) for queue in _REVIEWED))
    drawn = (
        select(func.count())
        .select_from(sample_jobs.join(samples, samples.c.sample_id == sample_jobs.c.sample_id))
        .where(samples.c.finished_at.is_(None), LACKS_OPINIONS)
    )
    with database.transaction(timeout=TIMEOUT) as connection:
        lengths = dict(connection.execute(waiting).one()._mapping)
        lengths["samples"] = connection.execute(drawn).scalar_one()
    for queue, length in lengths.items():
        QUEUES.labels(queue).set(length)
