"""Who looks at a page."""

from core.access import DEMO_PERSON, Actor
from core.settings import Settings

HOW_TO_SIGN_IN = (
    "There are no pages without sign-in, and this version of Fencepost has none yet: start it in demo mode with "
    "`make run` to look at demo jobs. The API and the command line work as they are."
)


def find_person(settings: Settings) -> Actor | None:
    """Return the person of this session, or None. Demo mode knows one local user, who may do everything."""
    return DEMO_PERSON if settings.fencepost_demo else None


def recognise(settings: Settings, name: str) -> Actor | None:
    """Return the person of that name with the scopes held now, or None where there are none any more."""
    person = find_person(settings)
    return person if person is not None and person.name == name else None
