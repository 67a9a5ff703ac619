"""The sender: a thread for each endpoint that has something to hear, one message after the other. Several may run."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from core.actor import HOUSE
from core.db.databases import Databases
from core.errors import FencepostError, NotPossible
from core.settings import Settings
from core.webhooks.deliveries import State, claim_due, forget_old, list_due, note_answer
from core.webhooks.endpoints import pause_endpoint
from core.webhooks.target import read_networks

if TYPE_CHECKING:
    from core.webhooks.post import Postman

log = logging.getLogger("fencepost.webhooks")

# Seconds between two looks at what is due, and at what is old.
INTERVAL = 1
CLEANING = 3600

# How many times the time limit of an attempt it takes until a message is somebody else's: connecting and answering
# take one each, at the longest.
LEASE = 3

_NEVER = threading.Event()


class Sender:
    """Sends what is due, to the end of it or until it is stopped."""

    def __init__(self, databases: Databases, settings: Settings) -> None:
        """Raises `InvalidSetting` where the networks that are allowed are no list of such."""
        self._databases = databases
        self._timeout = settings.fencepost_webhook_timeout
        self._networks = read_networks(settings)

    @cached_property
    def _postman(self) -> "Postman":
        """Who brings messages, made with the first one: httpx and the trusted certificates are a seventh of a start."""
        from core.webhooks.post import Postman

        return Postman(self._networks, timeout=self._timeout)

    def send_due(self, stopped: threading.Event = _NEVER) -> Counter[State]:
        """Send what is due now, and return how many messages became what."""
        sent: Counter[State] = Counter()
        threads = [
            threading.Thread(target=self._drain, args=(endpoint_id, stopped, sent), daemon=True)
            for endpoint_id in list_due(self._databases.ours)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sent

    def run(self, stopped: threading.Event) -> None:
        """Send whatever becomes due, until stopped."""
        busy: dict[UUID, threading.Thread] = {}
        cleaned = -CLEANING * 1.0
        while not stopped.is_set():
            try:
                busy = {endpoint_id: thread for endpoint_id, thread in busy.items() if thread.is_alive()}
                for endpoint_id in list_due(self._databases.ours):
                    if endpoint_id not in busy:
                        # A daemon: an endpoint that hangs must not keep the server from ending.
                        thread = threading.Thread(target=self._drain, args=(endpoint_id, stopped), daemon=True)
                        busy[endpoint_id] = thread
                        thread.start()
                if time.monotonic() - cleaned > CLEANING:
                    forget_old(self._databases.ours)
                    cleaned = time.monotonic()
            except FencepostError as error:
                log.warning("webhooks wait: %s", error)
            stopped.wait(INTERVAL)

    def _drain(self, endpoint_id: UUID, stopped: threading.Event, sent: Counter[State] | None = None) -> None:
        """Send what an endpoint has to hear, until nothing is due or it fails: it is asked again at the next look."""
        try:
            while not stopped.is_set():
                state = self._send_next(endpoint_id)
                if sent is not None and state is not None:
                    sent[state] += 1
                if state is not State.DELIVERED:
                    return
        except FencepostError as error:
            # What was sent and not noted comes again, with its id.
            log.warning("webhooks to %s wait: %s", endpoint_id, error)

    def _send_next(self, endpoint_id: UUID) -> State | None:
        claimed = claim_due(self._databases.ours, endpoint_id, lease=LEASE * self._timeout)
        if claimed is None:
            return None
        answer = self._postman.post(claimed.url, claimed.secret, claimed.message_id, claimed.body)
        state = note_answer(self._databases.ours, claimed, answer)
        if state is State.GIVEN_UP:
            log.warning(
                "a webhook to %s is given up after %s attempts: %s", endpoint_id, claimed.attempts, answer.error
            )
        if answer.is_gone:
            try:
                pause_endpoint(self._databases, HOUSE, endpoint_id, why="it answered 410")
            except NotPossible:
                log.info("the webhook %s was removed while it was sent to", endpoint_id)
        return state


@contextmanager
def sending(databases: Databases, settings: Settings) -> Iterator[None]:
    """Send webhooks in a thread, for the length of a block. Raises `InvalidSetting`."""
    stopped = threading.Event()
    run: Callable[[threading.Event], None] = Sender(databases, settings).run
    thread = threading.Thread(target=run, args=(stopped,), name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=1)
