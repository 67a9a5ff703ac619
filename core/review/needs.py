"""What a verdict needs in a shared queue or a sample: a note, or categories."""

from uuid import UUID

from sqlalchemy import Connection, false, select

from core.db.schema import queues, samples
from core.errors import InvalidParameter


def check_needs(connection: Connection, queue_id: UUID, *, has_note: bool, says_categories: bool) -> None:
    """Raise `InvalidParameter` where a verdict lacks what its queue or sample asks for now."""
    of_queue = select(queues.c.needs_note, queues.c.needs_categories).where(queues.c.queue_id == queue_id)
    of_sample = select(false(), samples.c.needs_categories).where(samples.c.sample_id == queue_id)
    for needs_note, needs_categories in connection.execute(of_queue.union_all(of_sample)):
        if needs_categories and not says_categories:
            raise InvalidParameter("Choose the categories that the job should have, or “None of them”.")
        if needs_note and not has_note:
            raise InvalidParameter("This queue asks for a note: say why, then give the verdict again.")
