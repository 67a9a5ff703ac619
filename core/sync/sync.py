"""Sync: the jobs of another server's export, pulled window by window, each imported as a whole or not at all."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryFile
from typing import BinaryIO

from sqlalchemy import Connection

from core.actor import Actor
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible, ServerFailed
from core.instants import print_instant
from core.intake.importer import Imported, check_importable, import_jobs, vacuum_jobs
from core.intake.job_file import JobFile
from core.jobs.filter import LONGEST_RANGE, DateRange
from core.sync.remote_export import RemoteExport, TooLarge
from core.sync.sync_progress import SyncName, find_gaps, find_length, note_progress
from core.tracing import span

# Attempts without a success after which a run ends.
ATTEMPTS = 8

# Seconds: the longest first pause, which doubles with each attempt, and the longest one that a server may ask for.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 3600

# Bytes of a window: what lies in the temporary directory, and what a stop costs.
LARGEST = 512 * 1024 * 1024

SHORTEST_WINDOW = timedelta(seconds=1)
GROWTH = 1.25


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time that was imported."""

    range: DateRange
    imported: Imported


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait, in seconds, and why."""

    reason: str
    seconds: float


@dataclass(slots=True, kw_only=True)
class Sync:
    """A pull of all that is missing up to now.

    `overlap`: how long after its creation a job may still change; until then it is asked for again. `longest_wait`: the
    cap of the back-off in seconds. `skipped` is that of `JobFile`, `advance` that of `RemoteExport.fetch`.
    """

    databases: Databases
    remote: RemoteExport
    by: Actor
    client_id: str
    since: datetime
    overlap: timedelta
    longest_wait: float
    skipped: BinaryIO | None = None
    advance: Callable[[int], None] = lambda _: None
    # How long a window may be, and how often in a row the server has failed.
    _length: timedelta = field(default=LONGEST_RANGE, init=False)
    _failures: int = field(default=0, init=False)

    def run(self) -> Iterator[Window | Pause]:
        """Pull in order; yield each window once it is committed, and each pause before it.

        A window and the note that it is done are one transaction, so that a stop at any point loses and repeats
        nothing. Raises `ServerFailed` where the server has failed too often, and `NotPossible` where trying again is of
        no use.
        """
        check_importable(self.databases, self.client_id)
        now = datetime.now(UTC)
        if self.since > now:
            raise InvalidParameter("since is in the future: choose an earlier day.")
        with self.databases.ours.transaction() as connection:
            gaps = find_gaps(connection, self._name, self.since, now - self.overlap, now)
            self._length = find_length(connection, self._name)
        has_changed = False
        for start, until in gaps:
            is_pulled = False
            while not is_pulled:
                # The last window ends at the now of its own.
                limit = until if until < now else max(start, datetime.now(UTC))
                bounds = DateRange(start, start + min(self._length, limit - start))
                try:
                    imported = self._pull(bounds)
                except TooLarge:
                    if bounds.end - bounds.start <= SHORTEST_WINDOW:
                        raise NotPossible(
                            f"{self.remote.host} sends more than {LARGEST // 1024**2:,} MB for one second: let the "
                            "server be fixed, or leave this time out."
                        ) from None
                    self._halve(bounds)
                except ServerFailed as failure:
                    pause = self._choose_pause(failure, bounds)
                    yield pause
                    time.sleep(pause.seconds)
                else:
                    yield Window(bounds, imported)
                    has_changed = has_changed or imported.has_changed
                    self._failures, start = 0, bounds.end
                    is_pulled = start == limit
        if has_changed:
            vacuum_jobs(self.databases.ours)

    @property
    def _name(self) -> SyncName:
        return SyncName(self.remote.url, self.remote.client_id or "", self.client_id)

    def _pull(self, bounds: DateRange) -> Imported:
        """Fetch a window and import it."""
        start, end = print_instant(bounds.start), print_instant(bounds.end)
        try:
            # A file without a name, which nobody else can open and which is gone with its process.
            with span("sync", {}, is_parent=True), TemporaryFile() as file:
                as_of = self.remote.fetch(bounds, file, largest=LARGEST, advance=self.advance)
                if file.tell() * GROWTH < LARGEST:
                    self._length = min(self._length * GROWTH, LONGEST_RANGE)
                file.seek(0)
                return import_jobs(
                    self.databases,
                    JobFile(
                        file=file,
                        name=f"The export of {self.remote.host} from {start} to {end}",
                        client_id=self.client_id,
                        # Nobody has asked for guards.
                        spreadsheet_safe=False,
                        skipped=self.skipped,
                    ),
                    self.by,
                    origin={"via": "sync", "host": self.remote.host, "from": start, "to": end},
                    commit_with=lambda connection: self._note(
                        connection, bounds.start, min(bounds.end, as_of - self.overlap)
                    ),
                )
        except OSError as error:
            raise NotPossible(
                f"The directory for temporary files cannot hold an export: {error.strerror}. Make room there, or let "
                "TMPDIR name another one."
            ) from None

    def _choose_pause(self, failure: ServerFailed, bounds: DateRange) -> Pause:
        """Decide how long to wait after a failure; raise it where that is of no use."""
        self._failures += 1
        if failure.asks_too_much:
            self._halve(bounds)
        if failure.is_dead and not self.remote.has_answered:
            raise failure
        if self._failures == ATTEMPTS or failure.retry_after > LONGEST_PAUSE:
            # The next run begins with as little as this one has come down to.
            with self.databases.ours.transaction() as connection:
                self._note(connection, bounds.start, bounds.start)
            raise ServerFailed(
                f"{failure} What was pulled so far is kept: run this again later.", retry_after=failure.retry_after
            )
        # Exponential back-off with full jitter, and never less than the server asks for.
        backoff = random.uniform(0, min(self.longest_wait, FIRST_PAUSE * 2 ** (self._failures - 1)))  # noqa: S311
        return Pause(str(failure), max(failure.retry_after, backoff))

    def _halve(self, bounds: DateRange) -> None:
        self._length = max(SHORTEST_WINDOW, (bounds.end - bounds.start) / 2)

    def _note(self, connection: Connection, start: datetime, end: datetime) -> None:
        note_progress(connection, self._name, start, max(start, end), self._length)
