"""Tickets: a download that a page offers, signed for one person in one browser, for two minutes."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from core.audit.filter import AuditFilter
from core.errors import InvalidParameter
from core.jobs.filter import JobFilter

# Where tickets are honoured.
DOWNLOAD_PATH = "/downloads/jobs.csv"
AUDIT_PATH = "/downloads/audit.csv"
REVIEWS_PATH = "/downloads/reviews.csv"
SAMPLE_PATH = "/downloads/sample.csv"
REPORT_PATH = "/downloads/sample.html"

# Our own cookie: random, for this browser, readable by no script. It says nothing about who uses the browser.
BROWSER_COOKIE = "fencepost_browser"

# Seconds. A page that is open renews its tickets sooner.
LIFETIME = 120


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may download what."""

    person: str
    job_filter: JobFilter
    # The sign-in that the person came by; None in demo mode.
    session: str | None = None


@dataclass(frozen=True, slots=True)
class AuditTicket:
    """Who may download which events of the audit. It opens nothing else, and no other ticket opens the audit."""

    person: str
    audit_filter: AuditFilter
    session: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewsTicket:
    """Who may download everybody's verdicts, of the jobs of a range and client. It opens nothing else."""

    person: str
    job_filter: JobFilter
    session: str | None = None


@dataclass(frozen=True, slots=True)
class SampleTicket:
    """Who may have the file of a sample and its report. It opens nothing else."""

    person: str
    sample_id: UUID
    session: str | None = None


AnyTicket = Ticket | AuditTicket | ReviewsTicket | SampleTicket


class TicketOffice:
    """Issues and accepts tickets; all processes that share a secret accept each other's."""

    def __init__(self, *keys: str | bytes) -> None:
        """Sign with the first key; those that follow were in force before, and what they signed is still accepted."""
        oldest_first = [key.encode() if isinstance(key, str) else key for key in reversed(keys)]
        self._serializer = _make_serializer(oldest_first, "fencepost download")
        self._audit_serializer = _make_serializer(oldest_first, "fencepost audit download")
        self._reviews_serializer = _make_serializer(oldest_first, "fencepost reviews download")
        self._sample_serializer = _make_serializer(oldest_first, "fencepost sample download")

    def issue(self, ticket: AnyTicket, *, browser: str) -> str:
        """Sign a ticket for the browser that holds this cookie."""
        match ticket:
            case Ticket(person, job_filter, session):
                serializer, params = self._serializer, job_filter.to_params()
            case AuditTicket(person, audit_filter, session):
                serializer, params = self._audit_serializer, audit_filter.to_params()
            case ReviewsTicket(person, job_filter, session):
                serializer, params = self._reviews_serializer, job_filter.to_params()
            case SampleTicket(person, sample_id, session):
                serializer, params = self._sample_serializer, {"sample": str(sample_id)}
        return serializer.dumps([person, session, params, _fingerprint(browser)])

    def accept(self, text: str, *, browser: str) -> Ticket | None:
        """Return the ticket, or None where it is changed, too old, of another browser or of another purpose."""
        try:
            person, session, params = _load(self._serializer, text, browser)
            return Ticket(person, JobFilter.from_params(params.items()), session)
        except (BadData, InvalidParameter):
            return None

    def accept_for_audit(self, text: str, *, browser: str) -> AuditTicket | None:
        """Return the ticket for the audit, or None as `accept` does."""
        try:
            person, session, params = _load(self._audit_serializer, text, browser)
            return AuditTicket(person, AuditFilter.from_params(params.items()), session)
        except (BadData, InvalidParameter):
            return None

    def accept_for_reviews(self, text: str, *, browser: str) -> ReviewsTicket | None:
        """Return the ticket for the reviews, or None as `accept` does."""
        try:
            person, session, params = _load(self._reviews_serializer, text, browser)
            return ReviewsTicket(person, JobFilter.from_params(params.items()), session)
        except (BadData, InvalidParameter):
            return None

    def accept_for_sample(self, text: str, *, browser: str) -> SampleTicket | None:
        """Return the ticket for a sample, or None as `accept` does."""
        try:
            person, session, params = _load(self._sample_serializer, text, browser)
            return SampleTicket(person, UUID(params["sample"]), session)
        except BadData:
            return None

    def find_person(self, text: str) -> str | None:
        """Return whom we made a ticket for, also where it is not accepted (any more), or None where we made none."""
        for serializer in (
            self._serializer,
            self._audit_serializer,
            self._reviews_serializer,
            self._sample_serializer,
        ):
            try:
                return str(_open(serializer, text)[0])
            except BadData:
                continue
        return None


def _make_serializer(keys: list[bytes], purpose: str) -> URLSafeTimedSerializer:
    """Sign by HMAC with SHA-256; of itself it takes SHA-1."""
    return URLSafeTimedSerializer(keys, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})


def _load(serializer: URLSafeTimedSerializer, text: str, browser: str) -> tuple[str, str | None, dict[str, str]]:
    """Read a ticket; raise `BadData` where it is changed, too old or of another browser."""
    person, session, params, fingerprint = _open(serializer, text, max_age=LIFETIME)
    if not hmac.compare_digest(fingerprint, _fingerprint(browser)):
        raise BadData("another browser")
    return person, session, params


def _open(serializer: URLSafeTimedSerializer, text: str, max_age: int | None = None) -> Any:
    """Return what we signed; raise `BadData` for anything that is not to the letter what we wrote.

    Readers of base64 pass over the spare bits of its last letter, and over letters that it does not have.
    """
    signature = text.rpartition(".")[2]
    if base64_encode(base64_decode(signature)).decode() != signature:
        raise BadData("a signature in another spelling")
    return serializer.loads(text, max_age=max_age)


def _fingerprint(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
