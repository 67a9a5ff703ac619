"""Exports that were refused, for the audit.

What is counted here is bounded by the requests of a minute, so that nobody can fill a table from which nothing is ever
deleted: neither the 401 of an unknown key nor the 429 beyond that rate is recorded, and of those who come with a bad
ticket, which costs no sign-in, so many a minute. The log has a line for each request anyway.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from api.errors import ApiError
from api.services import Services
from core.actor import Actor, Forbidden
from core.audit.events import Event, record
from core.errors import FencepostError

log = logging.getLogger("fencepost.api")


@asynccontextmanager
async def recorded_refusals(services: Services, actor: Actor, details: Mapping[str, Any]) -> AsyncIterator[None]:
    """Record where a block refuses an export: another client's jobs, or too many exports at once."""
    try:
        yield
    except Forbidden as error:
        await record_refusal(services, actor, 403, str(error), details)
        raise
    except ApiError as error:
        if error.status in (403, 429):
            await record_refusal(services, actor, error.status, error.message, details)
        raise


async def record_refusal(
    services: Services, actor: Actor, status: int, reason: str, details: Mapping[str, Any]
) -> None:
    """Record a refusal. Where that is not possible it is still one, and the log says so."""
    try:
        await asyncio.to_thread(
            record,
            services.databases,
            Event.EXPORT_REFUSED,
            actor,
            details={"status": status, "reason": reason, **details},
        )
    except FencepostError:
        log.warning("a refused export could not be recorded in the audit")
