"""Addresses as people have them: they work, or a sentence names the part that is wrong and no piece of the password."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from core.db.address import parse_address
from core.errors import InvalidSetting


def parse(url: str) -> dict[str, object]:
    return dict(conninfo_to_dict(parse_address("DATABASE_URL", SecretStr(url))))


@pytest.mark.parametrize(
    "password",
    ["a@b", "a/b", "a#b", "a?b", "a%b", "100%", "@@", "p@ss/w#rd?%", "%2", "a:b", "a@b:5432/c", "a&b=c", "É%zz"],
)
@pytest.mark.parametrize("end", ["", "?sslmode=require"])
def test_a_password_need_not_be_escaped(password: str, end: str) -> None:
    """`%`, `@`, `/`, `#` and `?` in a password are understood as they stand."""
    assert parse(f"postgresql://ada:{password}@db.example.com:6432/jobs{end}") == {
        "user": "ada",
        "password": password,
        "host": "db.example.com",
        "port": "6432",
        "dbname": "jobs",
        **({"sslmode": "require"} if end else {}),
    }


@pytest.mark.parametrize("escaped", ["a%40b", "a%2Fb%23", "%25"])
def test_an_escaped_password_is_read_as_such(escaped: str) -> None:
    """What is written as the standard (RFC 3986) has it stays what it is."""
    plain = {"a%40b": "a@b", "a%2Fb%23": "a/b#", "%25": "%"}[escaped]

    assert parse(f"postgres://ada:{escaped}@db/jobs")["password"] == plain


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql+asyncpg://db/jobs?ssl=true", {"host": "db", "dbname": "jobs", "sslmode": "require"}),
        ("postgresql+psycopg2://db/jobs", {"host": "db", "dbname": "jobs"}),
        ("postgres://db/jobs?schema=public&pgbouncer=true", {"host": "db", "dbname": "jobs"}),
        ("postgres://db/jobs?schema=mod", {"host": "db", "dbname": "jobs", "options": "-c search_path=mod"}),
        ("postgres://db/jobs?connection_limit=5&application_name=a%40b", {"host": "db", "application_name": "a@b"}),
        ("postgresql://u@a,b:1/jobs?target_session_attrs=any", {"host": "a,b", "target_session_attrs": "any"}),
        ("postgresql:///?host=%2Frun%2Fa&user=x", {"host": "/run/a", "user": "x"}),
        ("postgresql://fencepost@/jobs?host=/run/a", {"host": "/run/a", "user": "fencepost"}),
        ("postgresql://u:p@[::1]:5432/jobs", {"host": "::1", "port": "5432"}),
        ("postgresql://db/a?application_name=x@y", {"host": "db", "application_name": "x@y"}),
    ],
)
def test_addresses_of_other_programs_are_translated(url: str, parts: dict[str, str]) -> None:
    """Names of other drivers and their parameters mean to us what they mean there, or nothing."""
    assert parse(url).items() >= parts.items()


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://u:hunter2@db:port/jobs", "The port in DATABASE_URL is not a number"),
        ("postgresql://u:hun/ter2", "The port in DATABASE_URL is not a number"),
        ("postgresql://u:hunter2@db/jobs?colour=hunter2", "DATABASE_URL has something after the `?`"),
        ("postgresql://u:p@db/jobs?sslmode", "DATABASE_URL has something after the `?`"),
        ("mysql://u:hunter2@db/jobs", "DATABASE_URL is not an address of PostgreSQL"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_part(url: str, part: str) -> None:
    """One line names the setting, the part and the form, and never a piece of the password."""
    with pytest.raises(InvalidSetting) as caught:
        parse_address("DATABASE_URL", SecretStr(url))

    assert str(caught.value).startswith(part)
    assert "postgresql://user:password@host:5432/database" in str(caught.value)
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)
