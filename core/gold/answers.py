"""Settled answers: by most of three or more people who had disagreed, or by an admin where others have judged."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.actor import Actor, Scope
from core.db.schema import reviews
from core.gold.tables import gold_answers
from core.policy.outdated import COUNTS

# People whose opinions settle a disagreement.
FEWEST = 3

# Of two people who judge a job at once the second one sees what the first has said.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost settling', 0))")


def settle(connection: Connection, by: Actor, ids: Sequence[UUID]) -> None:
    """Find out anew, after a verdict of somebody, which of some jobs have a settled answer."""
    connection.execute(_LOCK)
    rejects = reviews.c.is_prohibited == (reviews.c.verdict == "agree")
    said = (
        select(reviews.c.job_id, reviews.c.client_id, reviews.c.job_created_at, reviews.c.person, rejects)
        .where(
            reviews.c.job_id == func.any(list(ids)),
            COUNTS,
            reviews.c.verdict.in_(("agree", "overturn")),
        )
        .order_by(reviews.c.job_id, reviews.c.review_id)
    )
    held = select(gold_answers.c.job_id, gold_answers.c.settled_by).where(gold_answers.c.job_id == func.any(list(ids)))
    opinions: dict[UUID, dict[str, bool]] = {}
    jobs: dict[UUID, dict[str, Any]] = {}
    for job_id, client_id, created_at, person, would_reject in connection.execute(said):
        opinions.setdefault(job_id, {})[person] = would_reject
        jobs[job_id] = {"job_id": job_id, "client_id": client_id, "job_created_at": created_at}
    admins = {row.job_id: row.settled_by for row in connection.execute(held)}
    lost = set(admins)
    for job_id, each in opinions.items():
        admin = by.name if Scope.ADMIN_CONFIG in by.scopes and by.name in each and len(each) > 1 else admins.get(job_id)
        answer = each[admin] if admin in each else _most(each)
        if answer is not None:
            lost.discard(job_id)
            values = {"should_reject": answer, "settled_by": admin if admin in each else None}
            row = insert(gold_answers).values(jobs[job_id] | values)
            connection.execute(row.on_conflict_do_update(index_elements=["job_id"], set_=values))
    if lost:
        connection.execute(
            update(gold_answers).where(gold_answers.c.job_id.in_(lost)).values(should_reject=None, settled_by=None)
        )


def _most(opinions: Mapping[str, bool]) -> bool | None:
    """Return what most people say who had disagreed; None where they had not, or as many say the one as the other."""
    yes = sum(opinions.values())
    no = len(opinions) - yes
    return yes > no if yes and no and yes != no and yes + no >= FEWEST else None
