"""Least privilege: the grants of deploy/grants.sql are what the application's role needs, and no more."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from core.actor import COMMAND_LINE, Actor, Scope
from core.audit.events import Event, record
from core.audit.verification import check_chain
from core.auth.api_keys import create_key, find_key, list_keys, parse_key, revoke_key
from core.auth.people import list_people
from core.auth.preferences import keep_preference
from core.auth.rights import Holder, Kind, Rights, give_rights, take_rights
from core.auth.sign_in import Door
from core.check.finding import Level
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.grants import write_grants
from core.db.partitions import make_months
from core.db.startup import migrate, open_databases
from core.errors import DatabaseUnavailable
from core.export.receipts import close_lost_receipts
from core.gold.turns import set_rate
from core.intake import loading
from core.intake.importer import import_jobs, vacuum_jobs
from core.intake.job_file import JobFile
from core.jobs.wall import Wall
from core.quality.finishing import finish_samples
from core.quality.samples import Plan, draw_sample
from core.review.drafts import keep_draft
from core.review.known_jobs import claim_known
from core.review.queues import Queue, claim_next
from core.review.verdicts import Review, Verdict, record_review, take_back
from core.settings import Settings
from core.sync.sync_progress import SyncName, note_progress
from core.webhooks.deliveries import State, forget_old
from core.webhooks.endpoints import create_endpoint
from core.webhooks.events import WebhookEvent
from core.webhooks.sender import Sender
from tests.conftest import ROOT
from tests.core.auth.conftest import claims_of, come_in
from tests.core.review.test_verdicts import job
from tests.support.asgi import EXPORT, ask, create_api, make_key
from tests.support.documents import HEADER, april, export_document, read_records
from tests.support.rows import NOON, insert_job


def as_role(url: str, role: str) -> str:
    """Return the URL of sessions that are another role's from their start; the embedded server lets no other log in."""
    return f"{url}&options={quote(f'-c role={role}')}"


@pytest.fixture
def roles(empty_database_url: str) -> Iterator[tuple[str, str]]:
    """An owner and an application's role, neither a superuser; the owner's database is empty."""
    with two_roles(empty_database_url) as made:
        yield made


@contextmanager
def two_roles(url: str) -> Iterator[tuple[str, str]]:
    owner, app = (f"fencepost_{name}_{uuid4().hex[:8]}" for name in ("owner", "app"))
    with psycopg.connect(url, autocommit=True) as connection:
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
    """The databases as the application's role, with the grants of deploy/; the tables are the owner's."""
    with opened_with_least(empty_database_url, roles) as opened:
        yield opened


@contextmanager
def opened_with_least(url: str, roles: tuple[str, str]) -> Iterator[Databases]:
    settings = settings_of(url, roles)
    migrate(settings)
    grant(url, roles)
    opened = open_databases(settings)
    yield opened
    opened.close()


def grant(url: str, roles: tuple[str, str]) -> None:
    """Let the owner run deploy/grants.sql."""
    owner, app = roles
    grants = (ROOT / "deploy" / "grants.sql").read_text().replace("fencepost_app", app)
    assert grants.split("\n", 1)[1] == write_grants(app)
    with psycopg.connect(as_role(url, owner), autocommit=True) as connection:
        connection.execute(grants.encode())


def settings_of(url: str, roles: tuple[str, str]) -> Settings:
    owner, app = (SecretStr(as_role(url, role)) for role in roles)
    return Settings(database_url=app, migrate_database_url=owner)


def test_everything_works_with_the_grants(least: Databases, empty_database_url: str, roles: tuple[str, str]) -> None:
    """Sign-in, exports, receipts, keys, reviews, preferences and the audit need no right beyond the grants."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        job_id = insert_job(connection)

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
    people = {"fencepost_staff": "a@example.com"}
    door = Door(least, settings_of(empty_database_url, roles).model_copy(update=people), ("default",))
    person = come_in(door, claims_of("a@example.com")).actor
    assert person is not None
    helper = Holder(Kind.PERSON, "b@example.com")
    for scope in (Scope.JOB_READ, Scope.JOB_REVIEW):
        give_rights(least, COMMAND_LINE, helper, Rights(frozenset({scope}), None))
    take_rights(least, COMMAND_LINE, helper)
    assert [visitor.address for visitor in list_people(least, COMMAND_LINE, door)] == ["a@example.com"]
    keep_preference(least.ours, person, "spreadsheet_safe", True)
    keep_draft(least.ours, person, job_id, "a draft")
    claimed = claim_next(least, person, april(), Queue.NEW)
    act = record_review(least, person, [job(least, job_id)], Review(Verdict.AGREE))
    taken_back = take_back(least, person, act)
    tell_and_forget(least, settings_of(empty_database_url, roles), person, job_id)
    door.sign_out(person)

    assert claimed is not None
    assert (claimed.job_id, taken_back) == (job_id, 1)
    assert (answer.status, answer.body) == (200, document)
    assert found is not None
    assert len(list_keys(least.ours)) == 2
    assert "one unbroken chain of 19 events" in check_chain(least)


def tell_and_forget(least: Databases, settings: Settings, person: Actor, job_id: UUID) -> None:
    """Send a webhook that nobody hears, finish a sample, and clean up."""
    allowed = settings.model_copy(update={"fencepost_webhook_networks": "127.0.0.0/8"})
    draw_sample(least, COMMAND_LINE, april(), Plan("a", 1))
    create_endpoint(
        *(least, COMMAND_LINE), url="http://127.0.0.1:9/", events=WebhookEvent, client_id=None, networks=["127.0.0.0/8"]
    )
    record_review(least, person, [job(least, job_id)], Review(Verdict.OVERTURN))
    assert Sender(least, allowed).send_due() == {State.WAITING: 1}
    forget_old(least.ours)
    set_rate(least, COMMAND_LINE, 0.5)
    assert claim_known(least, person, april(), draw=lambda: 0.0) is None
    finish_samples(least, {})


def test_imports_need_the_rights_that_the_readme_names_for_them(
    least: Databases, empty_database_url: str, roles: tuple[str, str]
) -> None:
    """A role that may also write jobs imports files and pulls from other servers; without that it is refused."""
    owner, app = roles
    (rights,) = re.findall(r"`(INSERT, [A-Z, ]+ ON jobs, moderation_logs)`", (ROOT / "docs" / "grants.md").read_text())

    def take() -> int:
        length = timedelta(days=1)
        name = SyncName("https://api.example.com", "", "acme")
        note = partial(note_progress, name=name, start=NOON, end=NOON + length, length=length)
        job_file = JobFile(file=io.BytesIO(document), client_id="acme", name="a.csv")
        return import_jobs(least, job_file, COMMAND_LINE, commit_with=note).inserted

    document = HEADER + f"{uuid4()},prompt,completed,true,2026-04-15T12:00:00Z,,,,true,,\n".encode()
    with pytest.raises(DatabaseUnavailable, match="lacks a right"):
        take()
    with psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection:
        insert_job(connection, client_id="demo-a")
        connection.execute(f"GRANT {rights} TO {app}".encode())

    assert take() == 1
    vacuum_jobs(least.ours)
    with psycopg.connect(as_role(empty_database_url, owner)) as connection:
        assert connection.execute("SELECT client_id FROM jobs").fetchall() == [("acme",)]


def test_a_role_that_may_make_no_temporary_tables_is_told(
    least: Databases, empty_database_url: str, roles: tuple[str, str]
) -> None:
    """Who writes jobs imports and erases by way of such tables; who reads them needs none."""
    settings = settings_of(empty_database_url, roles)
    found: list[Sequence[str]] = []

    def look() -> None:
        found.extend(each.statements for each in run_checks(least, settings) if each.level is Level.PROBLEM)

    with psycopg.connect(as_role(empty_database_url, roles[0]), autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC".encode())
        look()
        connection.execute(f"GRANT DELETE ON jobs TO {roles[1]}".encode())
        look()
        connection.execute(f"GRANT TEMPORARY ON DATABASE {name} TO {roles[1]}".encode())
        look()

    assert found == [(f"GRANT TEMPORARY ON DATABASE {name} TO {roles[1]};",)]


@pytest.mark.parametrize("can_create", [True, False])
def test_an_owner_loads_jobs_as_far_as_its_rights_go(
    empty_database_url: str, roles: tuple[str, str], monkeypatch: pytest.MonkeyPatch, *, can_create: bool
) -> None:
    """Indexes of empty tables are made anew where the owner may make some; else they stay, and the jobs come in."""
    monkeypatch.setattr(loading, "MANY", 1)
    owner, _ = roles
    settings = Settings(database_url=SecretStr(as_role(empty_database_url, owner)))
    migrate(settings)
    oid = "SELECT 'jobs_client'::regclass::oid"
    data = HEADER + f"{uuid4()},prompt,completed,true,2026-04-15T12:00:00Z,,,,true,,\n".encode()
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        if not can_create:
            connection.execute("ALTER SCHEMA public OWNER TO CURRENT_USER")
        before = connection.execute(oid).fetchone()
        databases = open_databases(settings)
        job_file = JobFile(file=io.BytesIO(data), client_id="acme", name="a.csv")

        imported = import_jobs(databases, job_file, COMMAND_LINE)

        databases.close()
        assert imported.inserted == 1
        assert (connection.execute(oid).fetchone() != before) == can_create
        assert connection.execute("SELECT client_id FROM job_facts").fetchall() == [("acme",)]
        # So that the role can be dropped.
        connection.execute(f"ALTER SCHEMA public OWNER TO {owner}".encode())


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


def test_the_check_knows_the_grants(least: Databases, empty_database_url: str, roles: tuple[str, str]) -> None:
    """`core check` finds the grants enough, names one that is missing, and what is too much for the audit."""
    owner, app = roles
    settings = settings_of(empty_database_url, roles)

    def texts() -> list[tuple[Level, str]]:
        return [(found.level, found.text) for found in run_checks(least, settings)]

    enough = texts()
    with psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection:
        connection.execute(f"REVOKE INSERT ON exports FROM {app}; GRANT DELETE ON audit_events TO {app}".encode())
    changed = texts()

    assert [text for level, text in enough if level is Level.PROBLEM] == []
    assert (Level.OK, f"The role {app} can add to the audit, and change nothing in it.") in enough
    assert [text for level, text in changed if level is Level.PROBLEM] == [
        f"The role {app} lacks INSERT on exports: grant it, as the owner (see docs/grants.md)."
    ]
    assert (
        Level.ADVICE,
        f"The role {app} has more rights on audit_events than it needs: take them away, as the owner.",
    ) in changed


def test_the_application_has_these_rights_only(
    least: Databases, empty_database_url: str, roles: tuple[str, str]
) -> None:
    """What deploy/grants.sql grants is what the role has: rows are added, changed only where they have a life, and
    removed where they are worth nothing any more."""
    living = {"SELECT", "INSERT", "UPDATE"}
    rights = {
        **{table: {"SELECT"} for table in ("jobs", "moderation_logs", "alembic_version", "audit_events")},
        **{table: {"SELECT"} for table in ("erased_jobs",)},
        # Of a review, only the columns that say whether it counts may change, and of a policy what it says of that.
        **{
            table: {"SELECT", "INSERT"}
            for table in ("reviews", "policies", "holds", "samples", "sample_strata", "sample_jobs", "review_exports")
        },
        # Only the owner may lock it.
        "audit_lock": set(),
        **dict.fromkeys(
            ("api_keys", "exports", "people", "syncs", "noted_reasons", "webhook_endpoints", "queues"), living
        ),
        **dict.fromkeys(
            ("sessions", "review_drafts", "review_claims", "webhook_deliveries", "rights"), living | {"DELETE"}
        ),
        **{table: {"SELECT", "UPDATE"} for table in ("upkeep_tasks", "gold_settings", "import_totals")},
        **dict.fromkeys(("gold_answers", "gold_turns"), living),
        **{table: {"SELECT"} for table in ("job_facts", "job_counts", "job_facts_unsettled")},
        **{table: {"SELECT"} for table in ("job_reason_counts", "job_reasons")},
        "job_facts_state": {"SELECT", "UPDATE"},
    }
    every = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        held = {
            table: {
                right
                for right in every
                if connection.execute("SELECT has_table_privilege(%s, %s, %s)", [roles[1], table, right]).fetchone()
                == (True,)
            }
            for (table,) in tables
        }

    assert held == rights


def test_jobs_in_months_need_no_more(empty_database_url: str, roles: tuple[str, str]) -> None:
    """The application reads months with the same grants and makes none; the owner's `migrate` does."""
    settings = settings_of(empty_database_url, roles)
    migrate(settings, partitioned=True)
    grant(empty_database_url, roles)
    opened = open_databases(settings)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        insert_job(connection)
        place = "SELECT tableoid::regclass::text FROM jobs"

        opened.check()
        make_months(opened.ours.transaction, [NOON])
        document = export_document(opened, april(), workers=2)
        before = connection.execute(place).fetchall()
        migrate(settings)
        after = connection.execute(place).fetchall()

    assert read_records(document)
    assert (before, after) == ([("jobs_other",)], [("jobs_2026_04",)])
    assert export_document(opened, april()) == document
    opened.close()
