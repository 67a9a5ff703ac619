"""What is counted when a monitor asks: the state of the databases, and what the process has counted itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import QueuePool, Row, select, text

from core.db.databases import Databases
from core.intake.totals import import_totals
from core.metrics.registry import REGISTRY
from core.program import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Seconds: a monitor that waits longer has given up.
TIMEOUT = 2

# Each is a look at a small table, or at the end of an index.
_STATE = text("""
    SELECT
        (SELECT count(*) FROM exports WHERE status = 'running') AS exports_running,
        (SELECT count(*) FROM review_claims WHERE ends_at > now()) AS claims,
        (SELECT extract(epoch FROM now() - max(at)) FROM audit_events) AS audit_head_age,
        (SELECT extract(epoch FROM now() - min(upper(done))) FROM syncs) AS sync_lag,
        waiting.webhooks_waiting, waiting.webhooks_age
    FROM (
        SELECT count(*) AS webhooks_waiting, extract(epoch FROM now() - min(delivery.created_at)) AS webhooks_age
        FROM webhook_deliveries AS delivery JOIN webhook_endpoints USING (endpoint_id)
        WHERE delivered_at IS NULL AND given_up_at IS NULL AND paused_at IS NULL AND removed_at IS NULL
    ) AS waiting
""")

GAUGES = {
    "exports_running": ("fencepost_exports_running", "Exports that run now, in any process."),
    "claims": ("fencepost_review_claims", "Jobs that somebody is reviewing now."),
    "audit_head_age": ("fencepost_audit_head_age_seconds", "Since the last event of the audit."),
    "webhooks_waiting": ("fencepost_webhooks_waiting", "Webhooks that are not delivered yet."),
    "webhooks_age": ("fencepost_webhooks_age_seconds", "How long the oldest of them has waited."),
    "sync_lag": ("fencepost_sync_lag_seconds", "How far the sync that is furthest behind is behind."),
}


class _State:
    """A collector of what was read for one scrape: nothing where the database did not answer."""

    def __init__(
        self, databases: Databases, state: Mapping[str, float | None], imports: Sequence[Row[Any]] = ()
    ) -> None:
        self._databases = databases
        self._state = state
        self._imports = imports

    def collect(self) -> Iterator[Metric]:
        """Yield a gauge for each value that there is, and what imports of any process have counted."""
        yield GaugeMetricFamily(
            "fencepost_database_up", "Whether the database of exports and keys answered.", value=bool(self._state)
        )
        for name, (metric, meaning) in GAUGES.items():
            value = self._state.get(name)
            if value is not None:
                yield GaugeMetricFamily(metric, meaning, value=float(value))
        version = GaugeMetricFamily("fencepost_info", "The version that answers.", labels=["version"])
        version.add_metric([VERSION], 1)
        yield version
        pool = GaugeMetricFamily(
            "fencepost_database_connections", "Connections of the pool.", labels=["database", "state"]
        )
        for database in dict.fromkeys((self._databases.ours, self._databases.source)):
            held = database.engine.pool
            assert isinstance(held, QueuePool)
            label = "ours" if database is self._databases.ours else "source"
            pool.add_metric([label, "in use"], held.checkedout())
            pool.add_metric([label, "idle"], held.checkedin())
        yield pool
        yield from _count_imports(self._imports)


def _count_imports(totals: Sequence[Row[Any]]) -> Iterator[CounterMetricFamily]:
    ended = CounterMetricFamily("fencepost_imports", "Imports that were committed.", labels=["origin"])
    seconds = CounterMetricFamily("fencepost_import_seconds", "What these took.", labels=["origin"])
    records = CounterMetricFamily(
        "fencepost_import_records", "Records of these, by what became of them.", labels=["origin", "outcome"]
    )
    for row in totals:
        ended.add_metric([row.origin], row.imports)
        seconds.add_metric([row.origin], row.seconds)
        for outcome in ("inserted", "updated", "unchanged", "set_aside"):
            records.add_metric([row.origin, outcome.replace("_", " ")], row._mapping[outcome])
    yield from (ended, seconds, records)


def scrape(databases: Databases) -> bytes:
    """Return all numbers in Prometheus' text format. Raises `DatabaseUnavailable` where the state cannot be read."""
    with databases.ours.transaction(timeout=TIMEOUT) as connection:
        state = dict(connection.execute(_STATE).one()._mapping)
        imports = connection.execute(select(import_totals)).all()
    return _print(_State(databases, state, imports))


def scrape_process(databases: Databases) -> bytes:
    """Return what this process has counted itself, and that the database did not answer."""
    return _print(_State(databases, {}))


def _print(state: _State) -> bytes:
    momentary = CollectorRegistry()
    momentary.register(state)
    return generate_latest(REGISTRY) + generate_latest(momentary)
