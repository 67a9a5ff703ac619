"""Least privilege: the grants of the README are what the application's role needs, and no more."""

import re
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from core.access import COMMAND_LINE, Scope
from core.api_keys import create_key, find_key, list_keys, parse_key, revoke_key
from core.audit import Event, record
from core.audit_check import check_chain
from core.database import Databases, migrate, open_databases
from core.query import Wall
from core.receipts import close_lost_receipts
from core.settings import Settings
from tests.asgi import EXPORT, ask, create_api, make_key
from tests.conftest import ROOT, TestServer
from tests.documents import april, export_document
from tests.rows import insert_job


def as_role(url: str, role: str) -> str:
    """Return the URL of sessions that are another role's from their start; the embedded server lets no other log in."""
    return f"{url}&options={quote(f'-c role={role}')}"


@pytest.fixture
def roles(empty_database_url: str, server: TestServer) -> Iterator[tuple[str, str]]:
    """An owner and an application's role, neither a superuser; the owner's database is empty."""
    owner, app = (f"fencepost_{name}_{uuid4().hex[:8]}" for name in ("owner", "app"))
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        for role in (owner, app):
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner)))
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(owner)))
        yield owner, app
        for role in (app, owner):
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def least(empty_database_url: str, roles: tuple[str, str]) -> Iterator[Databases]:
    """The databases as the application's role, which has the README's grants; the tables are the owner's."""
    owner, app = roles
    settings = settings_of(empty_database_url, roles)
    migrate(settings)
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    grants = "".join(block for block in blocks if "GRANT" in block).replace("fencepost_app", app)
    assert grants.count("GRANT") == 6
    with psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection:
        connection.execute(grants.encode())
    opened = open_databases(settings)
    yield opened
    opened.close()


def settings_of(url: str, roles: tuple[str, str]) -> Settings:
    owner, app = (SecretStr(as_role(url, role)) for role in roles)
    return Settings(database_url=app, migrate_database_url=owner)


def test_everything_works_with_the_grants_of_the_readme(
    least: Databases, empty_database_url: str, roles: tuple[str, str]
) -> None:
    """Exports, receipts, keys and the audit need no right beyond the README's."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        insert_job(connection)

    least.check()
    document = export_document(least, april(), workers=2)
    answer = ask(create_api(least, settings_of(empty_database_url, roles)), EXPORT, make_key(least))
    key = create_key(
        least, COMMAND_LINE, name="a", wall=Wall("acme"), scopes=frozenset({Scope.JOB_READ}), expires_at=None
    )
    presented = parse_key(key)
    assert presented is not None
    found = find_key(least.ours, presented)
    revoke_key(least, COMMAND_LINE, presented.key_id)
    close_lost_receipts(least)
    record(least, Event.JOBS_LISTED, COMMAND_LINE)

    assert (answer.status, answer.body) == (200, document)
    assert found is not None
    assert len(list_keys(least.ours)) == 2
    assert "one unbroken chain of 8 events" in check_chain(least)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events", "DROP TABLE jobs"],
)
def test_the_application_cannot_change_the_audit(
    least: Databases, empty_database_url: str, roles: tuple[str, str], statement: str
) -> None:
    """The application's role lacks the right, and the owner, who has it, meets the trigger."""
    record(least, Event.JOBS_LISTED, COMMAND_LINE)
    owner, app = roles

    with (
        psycopg.connect(as_role(empty_database_url, app), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
    if "audit_events" in statement:
        with (
            psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection,
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
        ):
            connection.execute(statement.encode())

    check_chain(least)


@pytest.mark.parametrize(
    ("table", "rights"),
    [
        ("jobs", {"SELECT"}),
        ("moderation_logs", {"SELECT"}),
        ("alembic_version", {"SELECT"}),
        ("audit_events", {"SELECT", "INSERT"}),
        ("api_keys", {"SELECT", "INSERT", "UPDATE"}),
        ("exports", {"SELECT", "INSERT", "UPDATE"}),
        ("people", {"SELECT", "INSERT", "UPDATE"}),
    ],
)
def test_the_application_has_these_rights_only(
    least: Databases, empty_database_url: str, roles: tuple[str, str], table: str, rights: set[str]
) -> None:
    """What the README grants is what the role has."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        held = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            for (has,) in connection.execute("SELECT has_table_privilege(%s, %s, %s)", [roles[1], table, right])
            if has
        }

    assert held == rights
