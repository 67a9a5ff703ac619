"""The exceptions that callers meet; the text of each is a sentence that may be shown to a person."""


class FencepostError(Exception):
    """Base of all errors that Fencepost raises on purpose; `str(error)` says what is wrong and what to do."""


class InvalidParameter(FencepostError):
    """A parameter has a value that Fencepost does not accept; the message names the parameter."""


class InvalidSetting(FencepostError):
    """A setting in the environment has a value that Fencepost does not accept."""


class DatabaseUnavailable(FencepostError):
    """A database cannot be asked: it is missing, down, not migrated, or refuses the role."""


class ExportTooSlow(DatabaseUnavailable):
    """An export's first row did not come within its time limit."""


class QueryTooSlow(FencepostError):
    """A page's query ran into its time limit."""


class ExportCut(FencepostError):
    """An export stopped after its first byte: what was written so far is not a complete file."""


class NotPossible(FencepostError):
    """What was asked for cannot be done in the present state; the message says why."""
