"""What people and their rights are called on the page."""

from collections.abc import Iterable

from core.actor import Scope
from core.auth.rights import Holder, Rights
from dashboard.widgets.client_select import name_client

# In the order in which they are said.
WORDS: dict[Scope, str] = {
    Scope.JOB_READ: "Read",
    Scope.JOB_REVIEW: "Review",
    Scope.JOB_EXPORT: "Export",
    Scope.JOB_REVEAL: "Withheld texts",
    Scope.ADMIN_CONFIG: "Admin",
}

SCOPE_WORDS = {
    scope: f"{WORDS[scope]} – {meaning}"
    for scope, meaning in zip(
        WORDS,
        (
            "browse jobs, figures and samples",
            "give verdicts, draw and judge samples",
            "download jobs and samples",
            "see what is withheld from others",
            "keys, people, all exports, audit",
        ),
        strict=True,
    )
}

ALL_CLIENTS = "– All clients"
NOTHING = "– Nothing"


def name_holder(holder: Holder) -> str:
    """Name whom rights were given to; what would turn the writing beside it is quoted."""
    return name_client(str(holder))


def name_scopes(scopes: Iterable[Scope]) -> str:
    """Say in words what somebody may do."""
    held = set(scopes)
    return ", ".join(word for scope, word in WORDS.items() if scope in held) or NOTHING


def name_clients(held: Rights) -> str:
    """Say whose jobs rights are for."""
    if not held.scopes:
        return ""
    return ALL_CLIENTS if held.clients is None else ", ".join(sorted(held.clients))
