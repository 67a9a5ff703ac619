"""Settled jobs among those that people are given, so that nobody can tell which they are."""

import random
from collections.abc import Callable
from uuid import UUID

from core.actor import Actor
from core.db.databases import Databases
from core.gold.turns import begin_turn, list_known, read_rate
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.query import find_matching
from core.review.claims import claim_first, release_claim
from core.review.queues import narrow_to_decided

# Settled jobs that are held against the filter.
BATCH = 50


def claim_known(
    databases: Databases,
    by: Actor,
    job_filter: JobFilter,
    *,
    leaving: UUID | None = None,
    timeout: float | None = None,
    draw: Callable[[], float] = random.random,
) -> UUID | None:
    """Claim a settled job of a filter, as often as admins have set; None where it is another one's turn."""
    decided = narrow_to_decided(job_filter)
    if decided is None or draw() >= read_rate(databases.ours):
        return None
    found = list_known(databases.ours, by, decided.range, decided.client_id, limit=BATCH)
    if not found:
        return None
    with databases.source.transaction(timeout=timeout) as connection:
        meant = find_matching(connection, decided, make_access(databases, by.wall), found)
    claimed = claim_first(databases.ours, by, [job_id for job_id in found if job_id in meant and job_id != leaving])
    if claimed is None:
        return None
    if not begin_turn(databases.ours, by, claimed):
        release_claim(databases.ours, by, claimed)
        return None
    return claimed
