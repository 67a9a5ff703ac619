"""The exceptions that callers meet; the text of each is a sentence that may be shown to a person."""


class FencepostError(Exception):
    """Base of all errors that Fencepost raises on purpose; `str(error)` says what is wrong and what to do."""


class InvalidParameter(FencepostError):
    """A parameter has a value that Fencepost does not accept; the message names the parameter."""


class InvalidSetting(FencepostError):
    """A setting in the environment has a value that Fencepost does not accept."""


class DatabaseUnavailable(FencepostError):
    """A database cannot be asked: it is missing, down, not migrated, or refuses the role.

    `may_be_done`: it was told to keep what a transaction had done, and has not answered; else it has kept none of it.
    """

    may_be_done = False


class DatabaseRefuses(DatabaseUnavailable):
    """A database answers, and does not do what it was asked; no other try succeeds until somebody mends it."""


class StatementDropped(DatabaseUnavailable):
    """The server has ended a statement that it had begun, or restarts; the next try may well succeed."""


class ExportTooSlow(DatabaseUnavailable):
    """An export's first row did not come within its time limit."""


class QueryTooSlow(FencepostError):
    """A page's query ran into its time limit."""


class ExportCut(FencepostError):
    """An export stopped after its first byte: what was written so far is not a complete file."""


class NotPossible(FencepostError):
    """What was asked for cannot be done in the present state; the message says why."""


class ServerFailed(FencepostError):
    """Another server did not give what it was asked for, and may do so later.

    `retry_after`: the seconds after which it wants to be asked again. `asks_too_much`: less may succeed. `is_dead`: it
    was not reached at all.
    """

    def __init__(
        self, message: str, *, retry_after: float = 0, asks_too_much: bool = False, is_dead: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.asks_too_much = asks_too_much
        self.is_dead = is_dead
