"""Who may do what: scopes, and those who hold them."""

from dataclasses import dataclass
from enum import StrEnum

from core.errors import FencepostError
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall


class Scope(StrEnum):
    """What somebody may do.

    `job:read`: browse and export; `review:read`: everybody's verdicts; `admin:config`: keys, everybody's exports, and
    the audit.
    """

    JOB_READ = "job:read"
    REVIEW_READ = "review:read"
    ADMIN_CONFIG = "admin:config"


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
        return self.name if self.wall.client_id is None else f"client:{self.wall.client_id}"

    def check_client(self, job_filter: JobFilter) -> None:
        """Raise `Forbidden` where the filter names a client behind the wall."""
        if self.wall.client_id is not None and job_filter.client_id not in (None, self.wall.client_id):
            raise Forbidden("This key belongs to another client: leave client_id out or name your own.")


COMMAND_LINE = Actor("cli", Wall(None), frozenset(Scope))

# What Fencepost does of itself, such as closing the receipt of an export whose process has died.
HOUSE = Actor("fencepost", Wall(None), frozenset())

# Somebody who was not recognised.
ANONYMOUS = Actor("anonymous", Wall(None), frozenset())

# The one local user of demo mode.
DEMO_PERSON = Actor("user:demo", Wall(None), frozenset(Scope))
