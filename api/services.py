"""What the routes need: the databases, the limits, and how long to wait."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api.limits import ExportSlots, RequestLimit
from core.auth.key_use import LastUse
from core.db.databases import Databases
from core.errors import DatabaseUnavailable
from core.settings import Settings

# Seconds. A server that hangs must not hang the request, too.
ASK_TIMEOUT = 15

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is made once a process and used by all requests."""

    databases: Databases
    settings: Settings
    requests: RequestLimit
    slots: ExportSlots
    last_use: LastUse


def create_services(databases: Databases, settings: Settings) -> Services:
    return Services(
        databases,
        settings,
        RequestLimit(settings.fencepost_requests_per_minute),
        ExportSlots(per_client=settings.fencepost_exports_per_client, total=settings.fencepost_exports_total),
        LastUse(databases.ours, _begin_in_thread),
    )


async def ask(question: Callable[..., _Answer], *arguments: object, timeout: float = ASK_TIMEOUT) -> _Answer:
    """Ask a database in a thread. Raises `DatabaseUnavailable` where there is no answer in `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.to_thread(question, *arguments)
    except TimeoutError:
        raise DatabaseUnavailable("The database does not answer: look at its server.") from None


def _begin_in_thread(work: Callable[[], None]) -> None:
    """Begin work that nobody waits for; it still comes to its end when the server shuts down."""
    asyncio.get_running_loop().run_in_executor(None, work)
