"""Tickets: a download that a page offers, signed for one person in one browser, for two minutes."""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
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


class Download(StrEnum):
    """What a ticket is for; its tickets are signed with this word, so that none opens anything else."""

    JOBS = "fencepost download"
    AUDIT = "fencepost audit download"
    # Everybody's verdicts, of the jobs of a filter.
    REVIEWS = "fencepost reviews download"
    # The file of a sample, and its report.
    SAMPLE = "fencepost sample download"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may download what: jobs and reviews of a filter, events of one of the audit, or a sample by its id."""

    download: Download
    person: str
    wanted: JobFilter | AuditFilter | UUID
    # The sign-in that the person came by; None in demo mode.
    session: str | None = None


class TicketOffice:
    """Issues and accepts tickets; all processes that share a secret accept each other's."""

    def __init__(self, *keys: str | bytes) -> None:
        """Sign with the first key; those that follow were in force before, and what they signed is still accepted."""
        oldest_first = [key.encode() if isinstance(key, str) else key for key in reversed(keys)]
        self._serializers = {download: _make_serializer(oldest_first, download.value) for download in Download}

    def issue(self, ticket: Ticket, *, browser: str) -> str:
        """Sign a ticket for the browser that holds this cookie."""
        wanted = ticket.wanted
        params = {"sample": str(wanted)} if isinstance(wanted, UUID) else wanted.to_params()
        content = [ticket.person, ticket.session, params, _fingerprint(browser)]
        return self._serializers[ticket.download].dumps(content)

    def accept(self, text: str, download: Download, *, browser: str) -> Ticket | None:
        """Return the ticket, or None where it is changed, too old, of another browser or for another download."""
        try:
            person, session, params = _load(self._serializers[download], text, browser)
            return Ticket(download, person, _read(download, params), session)
        except (BadData, InvalidParameter):
            return None

    def find_person(self, text: str) -> str | None:
        """Return whom we made a ticket for, also where it is not accepted (any more), or None where we made none."""
        for serializer in self._serializers.values():
            try:
                return str(_open(serializer, text)[0])
            except BadData:
                continue
        return None


def _read(download: Download, params: dict[str, str]) -> JobFilter | AuditFilter | UUID:
    match download:
        case Download.JOBS | Download.REVIEWS:
            return JobFilter.from_params(params.items())
        case Download.AUDIT:
            return AuditFilter.from_params(params.items())
        case Download.SAMPLE:
            return UUID(params["sample"])


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
