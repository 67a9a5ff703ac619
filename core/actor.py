"""Who may do what: scopes, and those who hold them."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import FencepostError
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall


class Scope(StrEnum):
    """What somebody may do.

    `job:read`: browse, and with a key export; `job:export`, `job:review` and `job:reveal` are for people alone: to
    download jobs, to give verdicts, and to see texts that are withheld from others. `review:read`: everybody's
    verdicts; `admin:config`: keys, people, everybody's exports, and the audit.
    """

    JOB_READ = "job:read"
    JOB_EXPORT = "job:export"
    JOB_REVIEW = "job:review"
    JOB_REVEAL = "job:reveal"
    REVIEW_READ = "review:read"
    ADMIN_CONFIG = "admin:config"


# What a key can be given, and what everybody on FENCEPOST_STAFF has.
KEY_SCOPES = (Scope.JOB_READ, Scope.REVIEW_READ, Scope.ADMIN_CONFIG)
STAFF_SCOPES = frozenset({Scope.JOB_READ, Scope.JOB_EXPORT, Scope.JOB_REVIEW, Scope.JOB_REVEAL})


class Forbidden(FencepostError):
    """Somebody asked for what is not theirs."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who was recognised: a key, a person or the command line.

    `name` is what a receipt records (`key:<key id>`, `user:<issuer>|<subject>`, `cli`), `address` what is shown of a
    person, and `remote_address` where the request came from.
    """

    name: str
    wall: Wall
    scopes: frozenset[Scope]
    address: str | None = None
    remote_address: str | None = None
    # The sign-in that a person comes by.
    session: str | None = None
    # Whether a person has signed in so lately that nothing asks for it again; others never do.
    is_fresh: bool = True

    @property
    def limited_as(self) -> str:
        """The client that this actor's requests count for; staff and people count each for themselves."""
        client = self.wall.only if self.name.startswith("key:") else None
        return self.name if client is None else f"client:{client}"

    def check_client(self, job_filter: JobFilter) -> None:
        """Raise `Forbidden` where the filter names a client behind the wall."""
        if job_filter.client_id is not None and not self.wall.allows(job_filter.client_id):
            if self.name.startswith("key:"):
                raise Forbidden("This key belongs to another client: leave client_id out or name your own.")
            raise Forbidden("You may not see the jobs of this client: choose another one, or ask an admin.")


COMMAND_LINE = Actor("cli", Wall(None), frozenset(Scope))

# What Fencepost does of itself, such as closing the receipt of an export whose process has died.
HOUSE = Actor("fencepost", Wall(None), frozenset())

# Somebody who was not recognised.
ANONYMOUS = Actor("anonymous", Wall(None), frozenset())

# The one local user of demo mode.
DEMO_PERSON = Actor("user:demo", Wall(None), frozenset(Scope))
