"""Tickets: a download that a page offers, signed for one person in one browser, for two minutes."""

import hashlib
import hmac
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from core.errors import InvalidParameter
from core.filters import JobFilter

# Where tickets are honoured.
DOWNLOAD_PATH = "/downloads/jobs.csv"

# Our own cookie: random, for this browser, readable by no script. It says nothing about who uses the browser.
BROWSER_COOKIE = "fencepost_browser"

# Seconds. A page that is open renews its tickets sooner.
LIFETIME = 120


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may download what."""

    person: str
    job_filter: JobFilter


class TicketOffice:
    """Issues and accepts tickets; all processes that share a secret accept each other's."""

    def __init__(self, secret: str) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="fencepost download")

    def issue(self, ticket: Ticket, *, browser: str) -> str:
        """Sign a ticket for the browser that holds this cookie."""
        return self._serializer.dumps([ticket.person, ticket.job_filter.to_params(), _fingerprint(browser)])

    def accept(self, text: str, *, browser: str) -> Ticket | None:
        """Return the ticket, or None where it is changed, too old or of another browser."""
        try:
            person, params, fingerprint = self._serializer.loads(text, max_age=LIFETIME)
            if not hmac.compare_digest(fingerprint, _fingerprint(browser)):
                return None
            return Ticket(person, JobFilter.from_params(params.items()))
        except (BadData, InvalidParameter):
            return None


def _fingerprint(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
