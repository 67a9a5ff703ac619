"""How Fencepost is served: uvicorn, with what an export needs of it."""

import asyncio
import errno
import gc
import logging.config
import resource
import socket
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.errors import ApiError
from api.limits import Seldom
from core.errors import NotPossible
from core.program import VERSION

log = logging.getLogger("fencepost.server")

# Seconds that running requests get after SIGTERM; an export that is longer is cut and can be asked for again. What is
# left of the watchdog's time is for closing receipts and giving connections back.
GRACE = 10

# Connections that wait to be accepted. asyncio takes so many at once, and complains about each where it cannot.
BACKLOG = 100

# Seconds; the application's own limit (FENCEPOST_SEND_TIMEOUT) ends an export sooner.
STALLED = 120

_exhausted = Seldom("connections cannot be accepted: this process has no open files left")

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "core.log_lines.JsonLines"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "text"}},
    # What libraries say of themselves has the same form.
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "fencepost": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "opentelemetry": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


def logging_as(form: str) -> dict[str, Any]:
    """Return the configuration of logging with lines in one of its forms."""
    stderr = LOGGING["handlers"]["stderr"] | {"formatter": form}
    return LOGGING | {"handlers": {"stderr": stderr}}


def say(sentence: str, log_form: str) -> None:
    """Tell who starts a server how far it is, also before there is a log. Whoever reads objects reads no other line."""
    if log_form == "json":
        logging.config.dictConfig(logging_as(log_form))
        log.info(sentence)
    else:
        click.echo(sentence, err=True)


# Bytes of a request's line and headers together. Cookies of other services on the same host may be large.
LARGEST_HEAD = 131_072

# Bytes that are looked through before they are counted.
PIECE = 16_384

# Seconds in which a request is all there, from its first byte or from the beginning of the connection.
PATIENCE = 15

# Descriptors that an open page takes (its socket, and those of the loop that its script runs in), and those that stay
# for databases, files and logs.
PER_PAGE, RESERVED = 4, 64

# Descriptors that are asked for at the start, where the system allows as many.
WANTED = 65_536

_full = Seldom("there are as many connections as this process may have: raise its limit of open files")


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system lets this process have; what a shell gives is enough for sixty pages."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections leave descriptors for what serves them."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(8, (min(soft, WANTED) - RESERVED) // PER_PAGE)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP (RFC 9112), with limits on a request that is not all there yet, and on connections."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._cycles: list[RequestResponseCycle] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            _full.warn()
            self._answer(503, "UNAVAILABLE", "Too many people are here at once: try again in a minute.")
            return
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        # uvicorn tells the newest alone, and the export before it would go on for nobody, to a complete receipt.
        for cycle in self._open_cycles():
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            piece = data[start : start + PIECE]
            super().data_received(piece)
            if self._in_head:
                self._head += len(piece)
                if self._head > LARGEST_HEAD:
                    self._answer(431, "INVALID_REQUEST", "The request is too large: shorten it.")

    def handle_websocket_upgrade(self) -> None:
        self._expect_nothing()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._head, self._in_head = 0, True
        self._expect_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self.cycle is not None and self.cycle not in self._open_cycles():
            self._cycles.append(self.cycle)

    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """Say what keeps most requests from being read: `curl` sends an address as it was typed."""
        message = "The request cannot be read: shorten its address, and percent-encode what is not ASCII there."
        self._answer(400, "INVALID_REQUEST", message)

    def _answer(self, status: int, code: str, message: str) -> None:
        """Say in a sentence why there is no more, and close; where an answer has begun, cut that."""
        if any(cycle.response_started for cycle in self._open_cycles()):
            self.transport.abort()
            return
        headers = {"Connection": "close"} | ({"Retry-After": "60"} if status == 503 else {})
        answer = ApiError(status, code, message, headers).response()
        lines = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + answer.body)
        self.transport.close()

    def _open_cycles(self) -> list[RequestResponseCycle]:
        """Return the requests that are not answered yet: one that is, and those that the client sent behind it."""
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        return self._cycles


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    meanwhile: AbstractContextManager[None],
    log_form: str = "text",
    lifespan: str = "on",
    **more: Any,
) -> None:
    """Serve an application until SIGINT or SIGTERM. Raises `NotPossible` where the port is taken.

    `meanwhile` is entered when the log is set up and the port is ours, and left when the server has ended.

    `httptools`, because uvicorn's other parser ends a broken response politely for an HTTP/1.0 reader; no access
    log, because it prints query strings.
    """
    logging.config.dictConfig(logging_as(log_form))
    logging.getLogger("asyncio").addFilter(_say_seldom)
    raise_descriptor_limit()
    # An export makes two small objects a row, which the collector would look through every 700 rows, and with them all
    # that was ever imported: that took a tenth of an export's time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        backlog=BACKLOG,
        lifespan=lifespan,  # type: ignore[arg-type]
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        **more,
    )
    # uvicorn raises the signal once more when it has shut down, which interrupts what follows.
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        sockets = [stack.enter_context(listening) for listening in _listen(host, port)]
        say(f"Fencepost {VERSION} listens on http://{host}:{sockets[0].getsockname()[1]}", log_form)
        stack.enter_context(meanwhile)
        uvicorn.Server(config).run(sockets=sockets)


def _say_seldom(record: logging.LogRecord) -> bool:
    """Let asyncio say once a minute, without a trace, that connections cannot be accepted."""
    if "out of system resource" not in str(record.msg):
        return True
    _exhausted.warn()
    return False


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host: `localhost` is both 127.0.0.1 and [::1]."""
    listening: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            opened = socket.socket(family, kind, protocol)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # Connections inherit it: one that takes nothing for so long (milliseconds) is dropped by the system,
                # also after the server has closed it and only its last bytes wait to be read.
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED * 1000)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                opened.bind(address)
            except OSError as error:
                opened.close()
                # A machine without IPv6 may still know the name [::1].
                if error.errno != errno.EADDRNOTAVAIL or len(found) == 1:
                    raise
            else:
                listening.append(opened)
    except OSError as error:
        for opened in listening:
            opened.close()
        reason = error.strerror or "the address is not known"
        raise NotPossible(f"Cannot listen on {host}:{port}: {reason}. Choose another address or port.") from None
    return listening
