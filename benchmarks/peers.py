"""What people use today, each as a program of its own: `python -m benchmarks.peers NAME URL FILE`."""

import csv
import sys
from collections.abc import Sequence

import pandas as pd
from sqlalchemy import create_engine, text

QUERY = """
    SELECT j.job_id, j.type, j.status, j.is_prohibited, j.created_at, j.completed_at, j.prompt, j.reason,
        l.category_ai_adult_general, l.category_underage, l.category_nsfw
    FROM jobs j LEFT JOIN LATERAL (
        SELECT * FROM moderation_logs m WHERE m.job_id = j.job_id ORDER BY m.created_at DESC, m.log_id DESC LIMIT 1
    ) l ON true
    ORDER BY j.created_at, j.job_id
"""

# The query that gives our bytes: psql copies what each cell shall show.
SAME_BYTES = """
    SELECT j.job_id, j.type, j.status, j.is_prohibited::text,
        to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
        to_char(j.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_at, j.prompt, j.reason,
        l.category_ai_adult_general::text, l.category_underage::text, l.category_nsfw::text
    FROM jobs j LEFT JOIN LATERAL (
        SELECT * FROM moderation_logs m WHERE m.job_id = j.job_id ORDER BY m.created_at DESC, m.log_id DESC LIMIT 1
    ) l ON true
    ORDER BY j.created_at, j.job_id
"""


def add_conditions(query: str, conditions: Sequence[str]) -> str:
    return query.replace("ON true", f"ON true WHERE {' AND '.join(conditions)}")


# Rows that are fetched at a time; what tutorials choose.
CHUNK = 10_000


def with_pandas(url: str, file: str) -> None:
    """`read_sql` in chunks, `to_csv` for each."""
    with create_engine(url).connect().execution_options(stream_results=True) as connection:
        for number, chunk in enumerate(pd.read_sql(text(QUERY), connection, chunksize=CHUNK)):
            chunk.to_csv(file, mode="w" if number == 0 else "a", header=number == 0, index=False)


def with_sqlalchemy(url: str, file: str) -> None:
    """`stream_results`, and `csv.writer` for each row."""
    with create_engine(url).connect() as connection, open(file, "w", newline="", encoding="utf-8-sig") as opened:  # noqa: PTH123
        result = connection.execution_options(yield_per=CHUNK).execute(text(QUERY))
        writer = csv.writer(opened)
        writer.writerow(result.keys())
        writer.writerows(result)


if __name__ == "__main__":
    {"pandas": with_pandas, "sqlalchemy": with_sqlalchemy}[sys.argv[1]](
        sys.argv[2].replace("postgresql://", "postgresql+psycopg://"), sys.argv[3]
    )
