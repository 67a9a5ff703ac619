"""All that `python -m core check` looks at, in order; what cannot be looked at is a finding, too."""

import asyncio
from collections.abc import Iterator

from core.check.columns import check_columns, fits
from core.check.data import check_data
from core.check.distribution import check_distribution
from core.check.facts import check_facts
from core.check.finding import Finding, Level, advice, problem
from core.check.indexes import check_indexes
from core.check.own_tables import check_ours
from core.check.relation import NAMES, check_relation, find_relation
from core.check.rights import check_policies, check_reading, check_writing
from core.check.server import check_server
from core.check.snapshot import check_snapshot
from core.db.databases import Databases
from core.errors import DatabaseUnavailable, FencepostError
from core.settings import Settings

# Seconds that a question about the catalogue may take.
TIMEOUT = 15


def run_checks(databases: Databases, settings: Settings) -> Iterator[Finding]:
    """Look at the source, and then at our own database. Nothing is written in either."""
    try:
        yield from _check_source(databases, settings)
    except FencepostError as error:
        yield problem(str(error))
        if databases.jobs_are_ours and isinstance(error, DatabaseUnavailable):
            return
    try:
        with databases.ours.transaction(timeout=TIMEOUT) as connection:
            yield from list(check_ours(connection, databases))
    except FencepostError as error:
        yield problem(str(error))


def _check_source(databases: Databases, settings: Settings) -> Iterator[Finding]:
    source = databases.source
    with source.transaction(timeout=TIMEOUT) as connection:
        yield from list(check_server(connection, source, settings))
        relations = {name: find_relation(connection, name) for name in NAMES}
        for name, relation in relations.items():
            yield from list(check_relation(connection, name, relation, source.remedy))
        jobs, logs = (relations[name] for name in NAMES)
        if jobs is None or logs is None:
            return
        yield from list(check_distribution(connection, jobs, logs))
        found = [each for relation in (jobs, logs) for each in check_columns(connection, relation)]
        found += check_reading(connection, (jobs, logs))
        yield from found
        yield from list(check_policies(connection, (jobs, logs)))
        if not databases.jobs_are_ours:
            yield from list(check_writing(connection, (jobs, logs)))
    yield asyncio.run(check_snapshot(source))
    if not (fits(jobs) and fits(logs)) or any(each.level is Level.PROBLEM for each in found):
        yield advice("Indexes and data can be looked at when the problems above are solved: check again then.")
        return
    folding = source.folding()
    with source.transaction(timeout=TIMEOUT) as connection:
        yield from list(check_indexes(connection, jobs, logs, folding))
    yield from check_facts(source, jobs, logs)
    yield from check_data(source, jobs, logs)
