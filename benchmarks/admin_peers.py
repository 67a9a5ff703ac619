"""The admin panels that people put over such tables: `python -m benchmarks.admin_peers NAME URL PORT` serves one.

Needs `requirements-bench.txt`. Both see a view that joins the latest log, so that they export the same columns.
"""

import sys
from typing import Any

import uvicorn
from sqlalchemy import Column, Engine, MetaData, Table, Uuid, create_engine
from sqlalchemy.orm import registry
from starlette.applications import Starlette

from benchmarks.peers import QUERY

VIEW = "benchmark_jobs"

# What a view of the first so many jobs is made with, for both peers and for the endpoint the same.
CREATE_VIEW = f"CREATE OR REPLACE VIEW {VIEW} AS {QUERY} LIMIT {{rows}}"


class Job:
    """A row of the view."""


def serve(name: str, url: str, port: int) -> None:
    """Serve one of the panels until it is ended."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    table = Table(VIEW, MetaData(), Column("job_id", Uuid, primary_key=True), autoload_with=engine)
    registry().map_imperatively(Job, table)
    app = Starlette()
    {"sqladmin": _with_sqladmin, "starlette-admin": _with_starlette_admin}[name](app, engine, table)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def _with_sqladmin(app: Starlette, engine: Engine, table: Any) -> None:
    from sqladmin import Admin, ModelView

    class Jobs(ModelView, model=Job):
        can_export = True
        export_max_rows = 0
        column_export_list = [column.name for column in table.columns]  # noqa: RUF012

    Admin(app, engine).add_view(Jobs)


def _with_starlette_admin(app: Starlette, engine: Engine, table: Any) -> None:
    from starlette_admin.contrib.sqla import Admin, ModelView
    from starlette_admin.export import ExportConfig

    admin = Admin(engine, export_config=ExportConfig(max_rows=10_000_000))
    admin.add_view(ModelView(Job, key="job"))
    admin.mount_to(app)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
