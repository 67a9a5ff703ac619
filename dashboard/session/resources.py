"""What the pages need, handed over once by the composition root: Streamlit runs scripts without arguments."""

from dataclasses import dataclass, field

from core.auth.sign_in import Door
from core.auth.tickets import TicketOffice
from core.db.databases import Databases
from core.settings import Settings
from dashboard.session.connections import OpenConnections


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that is made once a process and used by all pages."""

    databases: Databases
    settings: Settings
    office: TicketOffice
    # How people sign in; None where nobody can.
    door: Door | None = None
    providers: tuple[str, ...] = ()
    connections: OpenConnections = field(default_factory=OpenConnections)


_provided: list[Resources] = []


def provide(resources: Resources) -> None:
    """Hand over what the pages need; called once, before the server starts."""
    _provided[:] = [resources]


def get_resources() -> Resources:
    return _provided[0]
