"""The id of the request that is answered, from the proxy's header to the log and the comment of each statement."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)


def comment(statement: str) -> str:
    """Return a statement of SQL with the id of the request as a comment, where there is one.

    An id is letters, digits, `.`, `_` and `-`, at most 64 of them, whoever sent it: nothing in it ends a comment.
    """
    request_id = REQUEST_ID.get()
    return statement if request_id is None else f"{statement} /* request {request_id} */"
