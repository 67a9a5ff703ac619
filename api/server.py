"""How Fencepost is served: uvicorn, with what an export needs of it."""

import errno
import gc
import logging.config
import signal
import socket
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import click
import uvicorn
from starlette.types import ASGIApp

from api.http_protocol import BoundedHttp, raise_descriptor_limit
from api.limits import Seldom
from core.errors import NotPossible
from core.program import VERSION

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
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "fencepost": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    meanwhile: AbstractContextManager[None],
    lifespan: str = "on",
    **more: Any,
) -> None:
    """Serve an application until SIGINT or SIGTERM. Raises `NotPossible` where the port is taken.

    `meanwhile` is entered when the log is set up and the port is ours, and left when the server has ended.

    `httptools`, because uvicorn's other parser ends a broken response politely for an HTTP/1.0 reader; no access
    log, because it prints query strings.
    """
    logging.config.dictConfig(LOGGING)
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
    # uvicorn raises the signal once more when it has shut down; this lets the rest of the process clean up, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        sockets = [stack.enter_context(listening) for listening in _listen(host, port)]
        click.echo(f"Fencepost {VERSION} listens on http://{host}:{sockets[0].getsockname()[1]}", err=True)
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
