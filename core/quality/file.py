"""A sample as a CSV file: each drawn job with its weight and what was said of it, for figures of one's own."""

from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, null, select

from core.actor import Actor
from core.audit.events import Event, record
from core.csv.format import guarded, instant
from core.csv.table_file import OwnFile, start_own_file
from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs, sample_strata
from core.gold.tables import gold_answers
from core.policy.outdated import COUNTS
from core.quality.opinions import should_reject
from core.review.verdicts import IS_FIRM, WOULD_REJECT

COLUMNS = (
    *("place", "job_id", "client_id", "job_created_at", "is_prohibited"),
    *("stratum", "stratum_values", "stratum_jobs", "stratum_drawn", "weight"),
    *("verdicts", "wrong", "right", "unsure", "answer", "judged_weight"),
)


def start_sample_file(
    databases: Databases, sample_id: UUID, by: Actor, *, first_byte_timeout: float
) -> AbstractAsyncContextManager[OwnFile]:
    """Start a copy of a sample. `weight` is how many jobs of its stratum a drawn job stands for.

    `answer` is what counts of a judged job: wrong, right, or unclear; of these the jobs stand for `judged_weight` each.
    """

    def note(export_id: UUID) -> None:
        record(databases, Event.SAMPLE_EXPORTED, by, subject=str(sample_id), details={"export": str(export_id)})

    return start_own_file(
        databases.ours, "sample", COLUMNS, lambda: _file_query(sample_id), note, first_byte_timeout=first_byte_timeout
    )


def count_sample(databases: Databases, sample_id: UUID) -> int:
    """Count the rows of a sample's file."""
    query = select(func.count()).where(sample_jobs.c.sample_id == sample_id)
    with databases.ours.transaction() as connection:
        return connection.execute(query).scalar_one()


def _file_query(sample_id: UUID) -> Select[Any]:
    is_wrong = reviews.c.is_prohibited != WOULD_REJECT
    said = (
        select(
            reviews.c.job_id,
            func.count().label("verdicts"),
            func.count().filter(IS_FIRM & is_wrong).label("wrong"),
            func.count().filter(IS_FIRM & ~is_wrong).label("right"),
            func.count().filter(~IS_FIRM).label("unsure"),
            should_reject().label("should_reject"),
        )
        .select_from(reviews.outerjoin(gold_answers, gold_answers.c.job_id == reviews.c.job_id))
        .where(COUNTS)
        .group_by(reviews.c.job_id)
        .subquery("said")
    )
    drawn = func.count().over(partition_by=sample_jobs.c.stratum)
    judged = func.count(said.c.job_id).over(partition_by=sample_jobs.c.stratum)
    population = sample_strata.c.population
    answer = case(
        (said.c.job_id.is_(None), null()),
        (said.c.should_reject.is_(None), "unclear"),
        (said.c.should_reject != sample_jobs.c.is_prohibited, "wrong"),
        else_="right",
    )
    texts: dict[str, ColumnElement[Any]] = {
        **{name: cast(sample_jobs.c[name], Text) for name in ("place", "job_id", "is_prohibited", "stratum")},
        "client_id": guarded(sample_jobs.c.client_id),
        "job_created_at": instant(sample_jobs.c.job_created_at),
        # Reasons are among these, and were written by others.
        "stratum_values": guarded(cast(sample_strata.c["values"], Text)),
        "stratum_jobs": cast(population, Text),
        "stratum_drawn": cast(drawn, Text),
        "weight": cast(population / cast(drawn, population.type), Text),
        "answer": cast(answer, Text),
        "judged_weight": case((said.c.job_id.is_not(None), cast(population / cast(judged, population.type), Text))),
        **{name: cast(func.coalesce(said.c[name], 0), Text) for name in ("verdicts", "wrong", "right", "unsure")},
    }
    rows = sample_jobs.join(
        sample_strata,
        (sample_strata.c.sample_id == sample_jobs.c.sample_id) & (sample_strata.c.stratum == sample_jobs.c.stratum),
    ).outerjoin(said, said.c.job_id == sample_jobs.c.job_id)
    query = select(*(texts[name].label(name) for name in COLUMNS)).select_from(rows)
    return query.where(sample_jobs.c.sample_id == sample_id).order_by(sample_jobs.c.place)
