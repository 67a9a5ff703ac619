"""Traces by OpenTelemetry, where a setting names an exporter; without one nothing of it is imported.

A span has a name, numbers and ids of ours: no text, key, address, filter or statement, and of an error its class alone.
"""

import importlib.metadata
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.program import VERSION
from core.request_id import REQUEST_ID

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger("fencepost.tracing")

INSTALL = "say `pip install 'fencepost[otel]'`, or unset OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ENDPOINT"

# Seconds at the end of the process.
PATIENCE = 2

# What the SDK's own name `otlp` means here: the protocol that needs no compiled library.
_OTLP = "otlp_proto_http"

_tracer: "Tracer | None" = None


class Traced:
    """A span that runs, or nothing where there are no traces."""

    def __init__(self, span: "Span | None" = None) -> None:
        self._span = span

    def note(self, attributes: Mapping[str, str | int | float]) -> None:
        """Add what is known by now. Values are counts, seconds, ids and words of this program."""
        if self._span is not None:
            self._span.set_attributes(attributes)


@contextmanager
def tracing(exporter: str | None) -> Iterator[None]:
    """Send spans to an exporter, by its name of OTEL_TRACES_EXPORTER, for a block; what is left is sent at its end."""
    provider = None if exporter is None else _make_provider(exporter)
    if provider is None:
        yield
        return
    try:
        with tracing_by(provider):
            yield
    finally:
        # Nobody waits for a collector that does not answer.
        sending = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
        sending.start()
        sending.join(PATIENCE)


@contextmanager
def tracing_by(provider: "TracerProvider") -> Iterator[None]:
    """Let a provider make the spans, for a block."""
    global _tracer
    _tracer = provider.get_tracer("fencepost", VERSION)
    try:
        yield
    finally:
        _tracer = None


@contextmanager
def span(
    name: str, attributes: Mapping[str, str | int | float], *, parent: str | None = None, is_parent: bool = False
) -> Iterator[Traced]:
    """Run a block in a span. An `Exception` that leaves it makes it an error, by its class.

    `parent` is the `traceparent` that a request came with (https://www.w3.org/TR/trace-context/). `is_parent`: spans
    within become its children; the block must end in the task or thread that it has begun in.
    """
    if _tracer is None:
        yield Traced()
        return
    from opentelemetry.trace import Status, StatusCode, use_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # Of what others send only ids are taken over: `tracestate` may hold any text.
    context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    running = _tracer.start_span(name, context, attributes=attributes)
    request_id = REQUEST_ID.get()
    if request_id is not None:
        running.set_attribute("fencepost.request_id", request_id)
    try:
        if is_parent:
            with use_span(running, record_exception=False, set_status_on_exception=False):
                yield Traced(running)
        else:
            yield Traced(running)
    except Exception as error:
        running.set_attribute("error.type", type(error).__qualname__)
        running.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        running.end()


def _make_provider(exporter: str) -> "TracerProvider | None":
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("there are no traces, because OpenTelemetry is not installed: %s", INSTALL)
        return None
    sends = _make_exporter(exporter)
    if sends is None:
        log.warning("there are no traces, because their exporter is not installed: %s", INSTALL)
        return None
    named = Resource({"service.name": "fencepost", "service.version": VERSION})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(sends))
    return provider


def _make_exporter(name: str) -> "SpanExporter | None":
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        # Standard output is for what a command was asked for.
        return ConsoleSpanExporter(out=sys.stderr)
    wanted = _OTLP if name == "otlp" else name
    for found in importlib.metadata.entry_points(group="opentelemetry_traces_exporter", name=wanted):
        made: SpanExporter = found.load()()
        return made
    return None
