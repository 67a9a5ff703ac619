"""Databases whose jobs are in one table, or in months: made once, and copied for each test."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from core.db.databases import Databases
from core.db.partitions import OTHER, make_months, span
from core.db.startup import migrate, open_databases
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.facts import START


@pytest.fixture(scope="session")
def months_template(server: TestServer) -> Iterator[str]:
    """The name of a database without jobs, to be copied: it has no months but those of the tests' jobs."""
    name = f"fencepost_months_{uuid4().hex[:8]}"
    settings = Settings(database_url=SecretStr(server.create_empty(name)))
    migrate(settings, partitioned=True)
    with psycopg.connect(server.url_of(name)) as connection:
        months = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'jobs'::regclass"
        ).fetchall()
        connection.execute(f"DROP TABLE {', '.join(month for (month,) in months if month != OTHER)}".encode())
        connection.execute("UPDATE job_facts_state SET relations = job_facts_relations()")
    databases = open_databases(settings)
    make_months(databases.ours.transaction, span(START, START + timedelta(days=70)))
    databases.close()
    yield name
    server.drop(name)


@pytest.fixture(params=[False, True], ids=["table", "months"])
def kept(
    request: pytest.FixtureRequest, server: TestServer, default_settings: Settings, months_template: str
) -> Iterator[Databases]:
    """An ordinary database, and one whose jobs are in months."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    url = server.create_migrated(name, months_template if request.param else None)
    databases = open_databases(default_settings.model_copy(update={"database_url": SecretStr(url)}))
    yield databases
    databases.close()
    server.drop(name)
