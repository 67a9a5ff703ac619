"""Jobs by strata: what tells kinds of jobs apart, of which kind each job is, and which job stands where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, case, func, literal_column, select

from core.db.schema import jobs
from core.jobs.access import JobAccess
from core.jobs.fact_query import FACTS
from core.jobs.filter import Category, JobFilter
from core.jobs.query import conditions_of, latest_log, select_jobs, tables_of

# Characters of a reason that tell strata apart: a reason may quote a prompt of megabytes.
LONGEST_REASON = 200


class Stratification(StrEnum):
    """What tells strata apart."""

    DECISION = "decision"
    CATEGORY = "category"
    REASON = "reason"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs that are alike: of one client (None: of all), with one code, with one reason by its hash (None: with none).

    `reason` is how it begins. Where nothing is asked about reasons both are None, and jobs may have any.
    """

    client_id: str | None
    code: int
    reason_hash: int | None = None
    reason: str | None = None

    def values(self, by: Sequence[Stratification]) -> tuple[Any, ...]:
        """Return the values of their stratum."""
        fact = FACTS[self.code]
        flags = " ".join(category.value for category in Category if fact.cells[category])
        told = {
            Stratification.DECISION: fact.is_prohibited,
            Stratification.CLIENT: self.client_id,
            Stratification.CATEGORY: flags if fact.evaluated else None,
            Stratification.REASON: self.reason,
        }
        return tuple(told[kind] for kind in by)


# A job by its number, from 1 on in the order of (created_at, job_id), among those of a kind in an hour.
Place = tuple[Kind, datetime, int]


def list_rows(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> Subquery:
    """Select the ids of the matching jobs, and then the values of their strata."""
    # Pages never read tables whole; here a stratum may be anywhere.
    connection.execute(select(func.set_config("enable_seqscan", "on", True)))
    columns: list[ColumnElement[Any]] = [jobs.c.job_id, *(_value(kind).label(kind.value) for kind in by)]
    if Stratification.CATEGORY in by:
        return select_jobs(job_filter, access, columns).subquery("rows")
    query = select(*columns).select_from(tables_of(job_filter)).where(*conditions_of(job_filter, access))
    return query.subquery("rows")


def _value(kind: Stratification) -> ColumnElement[Any]:
    """Return what tells a job's stratum of a kind."""
    match kind:
        case Stratification.DECISION:
            return jobs.c.is_prohibited.expression
        case Stratification.CLIENT:
            return jobs.c.client_id.expression
        case Stratification.REASON:
            # An empty one is none.
            return func.nullif(func.left(jobs.c.reason, LONGEST_REASON), literal_column("''"))
        case Stratification.CATEGORY:
            flags = [
                case(
                    (latest_log.c[category.column], literal_column(f"'{category.value} '")), else_=literal_column("''")
                )
                for category in Category
            ]
            flagged = func.rtrim(flags[0].concat(flags[1]).concat(flags[2]))
            return case((latest_log.c.evaluated, flagged))
