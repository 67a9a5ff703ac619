"""What a process counts while it runs, in Prometheus' terms (https://prometheus.io/docs/practices/naming/)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# Seconds.
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_FIRST_BYTE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS = Counter(
    "fencepost_requests",
    "Requests by route and status; 401, 403 and 429 are those that were refused or limited.",
    ["route", "status"],
    registry=REGISTRY,
)
EXPORTS = Counter("fencepost_exports", "Exports that have ended.", ["via", "status"], registry=REGISTRY)
EXPORT_ROWS = Counter("fencepost_export_rows", "Rows that exports have sent.", ["via"], registry=REGISTRY)
EXPORT_BYTES = Counter("fencepost_export_bytes", "Bytes that exports have sent.", ["via"], registry=REGISTRY)
FIRST_BYTE = Histogram(
    "fencepost_export_first_byte_seconds",
    "From the question to the first block of an export.",
    buckets=_FIRST_BYTE,
    registry=REGISTRY,
)
PAGE_SECONDS = Histogram(
    "fencepost_page_seconds", "What a run of a page takes.", ["page"], buckets=_QUICK, registry=REGISTRY
)
TRANSACTIONS = Histogram(
    "fencepost_database_transaction_seconds",
    "What a transaction takes, with the wait for its connection; exports are not among them.",
    ["database"],
    buckets=_QUICK,
    registry=REGISTRY,
)
REVIEWS = Counter("fencepost_reviews", "Verdicts that were recorded.", ["verdict"], registry=REGISTRY)
WEBHOOKS = Counter(
    "fencepost_webhooks",
    "Attempts to send a webhook, by event and by what became of it: delivered, failed or given up.",
    ["event", "outcome"],
    registry=REGISTRY,
)
QUEUES = Gauge(
    "fencepost_queue_jobs",
    "Jobs that wait for a second person, where two disagree, escalated, and in samples; counted once a minute.",
    ["queue"],
    registry=REGISTRY,
)
