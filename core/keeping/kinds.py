"""What is forgotten by its age: which rows, after how long, and who may remove them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one table that are forgotten once they are older than `before` (None: they are kept for ever).

    `old` is the condition in SQL, with the parameters `before` and `yesterday`. `first` is a statement that is due
    before these rows can go, with `gone`, their keys. `is_evidence`: the owner of the tables alone removes it,
    and nobody while a hold is in force.
    """

    name: str
    table: str
    key: str
    old: str
    before: datetime | None
    first: str | None = None
    is_evidence: bool = False

    @property
    def is_for_ever(self) -> bool:
        """Whether no row is ever forgotten."""
        return self.before is None and "yesterday" not in self.old


def list_kinds(settings: Settings, now: datetime) -> Iterator[Kind]:
    """List what is forgotten beside the audit."""

    def before(days: int, longer: timedelta = timedelta()) -> datetime | None:
        return now - timedelta(days=days) - longer if days else None

    yield Kind(
        name="ended sign-ins",
        table="sessions",
        key="session",
        old="first_seen_at < :before",
        # One that is still in force is not old, however long it may last.
        before=before(settings.fencepost_keep_sessions_days, timedelta(hours=settings.fencepost_session_hours)),
    )
    yield Kind(
        name="drafts of notes",
        table="review_drafts",
        key="person, job_id",
        # Nothing is written in those that became a verdict.
        old="saved_at < :before OR (note = '' AND verdict IS NULL AND saved_at < :yesterday)",
        before=before(settings.fencepost_keep_drafts_days),
    )
    yield Kind(
        name="ended claims",
        table="review_claims",
        key="job_id",
        old="ends_at < :before",
        before=now - timedelta(days=1),
    )
    yield Kind(
        name="replaced verdicts",
        table="reviews",
        key="review_id",
        # Where the one that counts is taken back, the one before it counts again.
        old="superseded_at < :before AND NOT EXISTS ("
        "SELECT FROM reviews AS later WHERE later.supersedes = reviews.review_id AND later.superseded_at IS NULL)",
        before=before(settings.fencepost_keep_verdicts_days),
        first="UPDATE reviews SET supersedes = NULL WHERE supersedes = ANY (:gone)",
        is_evidence=True,
    )
    yield Kind(
        name="receipts",
        table="exports",
        key="export_id",
        old="started_at < :before AND status <> 'running'",
        before=before(settings.fencepost_keep_receipts_days),
        first="DELETE FROM review_exports WHERE export_id = ANY (:gone)",
        is_evidence=True,
    )
