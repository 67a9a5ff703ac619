"""The drivers' errors: each class of SQLSTATE has a sentence that gives the true reason."""

import re
from itertools import product

import psycopg
import pytest
from psycopg.errors import lookup

from core.db.driver_errors import DriverErrors
from core.errors import FencepostError, NotPossible, QueryTooSlow, StatementDropped

# Every SQLSTATE that psycopg knows by name (PostgreSQL's appendix A), and some that are nobody's.
STATES = [*sorted(psycopg.errors._sqlcodes), "FP001", "ZZ123", "57XXX", "08ZZZ"]


def errors_of(*, read_only: bool) -> DriverErrors:
    conninfo = "host=db.example.com dbname=jobs password=hunter2"
    return DriverErrors(setting="DATABASE_URL", conninfo=conninfo, read_only=read_only, remedy="give it them")


def raised(state: str) -> psycopg.Error:
    """Return an error as the driver raises it for an SQLSTATE."""
    try:
        kind = lookup(state)
    except KeyError:
        kind = psycopg.OperationalError
    error = kind("a confidential prompt, hunter2")
    error.sqlstate = state
    return error


@pytest.mark.parametrize("kind", sorted({state[:2] for state in STATES}))
def test_each_sqlstate_has_a_sentence_of_its_own_reason(kind: str) -> None:
    """Whatever PostgreSQL answered, it was reached: only what it could not answer says that it cannot be reached."""
    for state, read_only in product((state for state in STATES if state.startswith(kind)), (False, True)):
        said = errors_of(read_only=read_only).translate(raised(state))

        assert isinstance(said, FencepostError), state
        assert re.fullmatch(r"[A-Z][^\n{}]+\.", str(said)), state
        assert "start PostgreSQL" not in str(said), state
        assert "confidential" not in str(said), state
        assert "hunter2" not in str(said), state


@pytest.mark.parametrize(
    ("state", "kind", "sentence"),
    [
        ("57014", QueryTooSlow, "This search took too long"),
        ("40P01", StatementDropped, "Two sessions were waiting for each other in the database jobs at db.example.com"),
        ("53100", FencepostError, "The disk of the database jobs at db.example.com is full: make room there."),
        ("53200", FencepostError, "The database jobs at db.example.com has run out of memory"),
        ("53300", FencepostError, "The database jobs at db.example.com has no connection left: raise its max_conn"),
        ("54000", NotPossible, "A value is too long for the database jobs at db.example.com, or for an index there"),
        ("3F000", NotPossible, "The role of DATABASE_URL has no schema to make tables in"),
        ("42P07", NotPossible, "DATABASE_URL has something of another program under the name of one of Fencepost's"),
        ("57P01", StatementDropped, "The database jobs at db.example.com was stopped or restarted"),
        ("57P03", StatementDropped, "The database jobs at db.example.com is starting up or shutting down"),
        ("25P03", StatementDropped, "The database jobs at db.example.com ended a transaction that had been waiting"),
        ("58030", FencepostError, "The server of the database jobs at db.example.com cannot read or write its files"),
        ("XX001", FencepostError, "The database jobs at db.example.com has found damaged data"),
        ("28P01", FencepostError, "Cannot log in to the database jobs at db.example.com"),
        ("23505", NotPossible, "The database jobs at db.example.com refused a row that contradicts another one"),
        ("P0001", NotPossible, "A trigger in the database jobs at db.example.com refused a statement"),
        ("FP001", FencepostError, "The audit is hashed with a key, and FENCEPOST_AUDIT_KEY is not set here"),
    ],
)
def test_what_is_said(state: str, kind: type[FencepostError], sentence: str) -> None:
    """The sentence names the cause, and the error is one that callers can tell from the others."""
    said = errors_of(read_only=False).translate(raised(state))

    assert isinstance(said, kind)
    assert str(said).startswith(sentence)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("FATAL:  sorry, too many clients already", "has no connection left"),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "no connection left",
        ),
        ("server does not support SSL, but SSL was required", "has no TLS: take `sslmode` out of DATABASE_URL"),
        ("SSL error: certificate verify failed", "is not trusted"),
        ("connection timeout expired", "does not answer"),
        ("could not translate host name to address: Name or service not known", "There is no host of the name"),
        ("connection to server failed: Connection refused", "Cannot reach"),
    ],
)
def test_a_connection_that_fails_is_told_by_its_words(words: str, sentence: str) -> None:
    """libpq gives no SQLSTATE for a connection that fails."""
    assert sentence in str(errors_of(read_only=False).translate(psycopg.OperationalError(words)))
