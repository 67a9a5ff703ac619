"""Traces: what is done is told to whoever collects them, in names, numbers and ids; nobody and no text is."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from api.request_log import RequestLog
from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.errors import NotPossible
from core.export.job_columns import HEADER
from core.intake.importer import import_jobs
from core.intake.job_file import JobFile
from core.settings import Settings
from core.tracing import tracing_by
from tests.conftest import ROOT
from tests.support.asgi import EXPORT, ask, create_api, make_key
from tests.support.rows import insert_job
from tests.support.serving import serve_api

PROMPT, CLIENT, SEARCH = "a lighthouse by the sea", "acme-of-the-north", "lighthouse"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Keep what is traced."""
    provider, kept = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with tracing_by(provider):
        yield kept
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def test_a_request_its_transactions_and_its_export_are_spans_that_name_nobody(
    databases: Databases, connection: psycopg.Connection, spans: InMemorySpanExporter
) -> None:
    """The request continues the caller's trace; its parts are its children; no key, text, client or filter is told."""
    insert_job(connection, prompt=PROMPT, client_id=CLIENT)
    key = make_key(databases, CLIENT)
    spans.clear()
    app = RequestLog(create_api(databases, Settings()))
    sent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "who=somebody", "x-request-id": "one-7"}

    answer = ask(app, f"{EXPORT}&q={SEARCH}", key, headers=sent.items())

    (request,), (export,) = named(spans, "GET /api/v1/jobs/export"), named(spans, "export")
    transactions = named(spans, "database transaction")
    assert request.context is not None
    assert request.parent is not None
    assert (format(request.context.trace_id, "032x"), format(request.parent.span_id, "016x")) == (TRACE, PARENT)
    assert dict(request.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/jobs/export",
        "http.response.status_code": 200,
        "fencepost.request_id": "one-7",
    }
    exported = dict(export.attributes or {})
    assert 0 < float(str(exported.pop("fencepost.first_byte_seconds"))) < 60
    assert exported == {
        "fencepost.export_id": answer.headers["x-export-id"],
        "fencepost.via": "api",
        "fencepost.status": "complete",
        "fencepost.rows": 1,
        "fencepost.bytes": len(answer.body),
        "fencepost.request_id": "one-7",
    }
    assert len(transactions) >= 3
    assert {span.parent.span_id for span in (*transactions, export) if span.parent} == {request.context.span_id}
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    private = (PROMPT, SEARCH, CLIENT, key.removeprefix("Bearer "), "fp_", "2026-04", "127.0.0.1", "SELECT", "somebody")
    assert [said for said in private if said in told] == []


def test_an_import_tells_its_numbers_and_an_error_its_class(databases: Databases, spans: InMemorySpanExporter) -> None:
    """What became of the records is told in numbers; of an error neither its message nor its trace is."""

    def take(data: bytes) -> None:
        import_jobs(databases, JobFile(file=io.BytesIO(data), client_id=CLIENT, name="a.csv"), COMMAND_LINE)

    take(HEADER + f"{uuid4()},prompt,completed,true,2026-04-15T12:00:00Z,,{PROMPT},,true,,\n".encode())
    with pytest.raises(NotPossible):
        take(HEADER + f"no-id,prompt,completed,true,2026-04-15T12:00:00Z,,{PROMPT},,true,,\n".encode())

    good, bad = named(spans, "import")
    counted = {"fencepost.inserted": 1, "fencepost.updated": 0, "fencepost.unchanged": 0, "fencepost.set_aside": 0}
    assert dict(good.attributes or {}) == {"fencepost.origin": "file", **counted}
    assert dict(bad.attributes or {}) == {"fencepost.origin": "file", "error.type": "NotPossible"}
    assert (bad.status.is_ok, bad.status.description, bad.events) == (False, None, ())


def test_a_server_sends_where_the_settings_say(database_url: str, tmp_path: Path) -> None:
    """One setting of OpenTelemetry's is enough; the service is named, and what is left is sent when it stops."""
    with serve_api(database_url, tmp_path / "api.log", OTEL_TRACES_EXPORTER="console") as api:
        assert api.get("/health").status_code == 200
        api.process.terminate()
        api.process.wait()

    assert '"name": "GET /health"' in api.log()
    assert '"service.name": "fencepost"' in api.log()


def test_without_a_setting_nothing_is_imported() -> None:
    """The library is not even loaded; and where it is wanted but lacking, a line of the log says what to do."""
    code = """
import logging, sys
from core.tracing import span, tracing
with tracing(None), span("x", {}) as traced:
    traced.note({"a": 1})
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
sys.modules["opentelemetry"] = None
logging.basicConfig()
with tracing("otlp"), span("x", {}):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (
        0,
        "WARNING:fencepost.tracing:there are no traces, because OpenTelemetry is not installed: say `pip install "
        "'fencepost[otel]'`, or unset OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ENDPOINT\n",
    )


@pytest.mark.parametrize(
    ("settings", "exporter"),
    [
        ({}, None),
        ({"otel_exporter_otlp_endpoint": SecretStr("http://collector:4318")}, "otlp"),
        ({"otel_exporter_otlp_traces_endpoint": SecretStr("http://collector:4318"), "otel_sdk_disabled": True}, None),
        ({"otel_exporter_otlp_endpoint": SecretStr("http://c:4318"), "otel_traces_exporter": "none"}, None),
        ({"otel_traces_exporter": "console"}, "console"),
    ],
    ids=str,
)
def test_opentelemetrys_own_settings_say_whether_there_are_traces(
    settings: dict[str, object], exporter: str | None
) -> None:
    """An address or an exporter switches them on, `none` and OTEL_SDK_DISABLED off."""
    assert Settings().model_copy(update=settings).traces_exporter == exporter
