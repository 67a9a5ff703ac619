"""`python -m core check`: each fault of a source is a sentence with its remedy, and the remedy helps."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from core.check.finding import Finding, Level
from core.check.indexes import EVERYTHING, FILTERS, ONE_JOB
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import TestServer
from tests.rules.test_grants import as_role
from tests.support.debian import find_programs, running_server
from tests.support.documents import april, export_document, read_records
from tests.support.rows import insert_job, insert_log

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]

# What a source has at least, and no index at all.
BARE = """
    CREATE TABLE jobs (
        job_id uuid NOT NULL, client_id text NOT NULL, type text NOT NULL, status text NOT NULL, is_prohibited boolean,
        created_at timestamptz NOT NULL, completed_at timestamptz, prompt text, reason text
    ){};
    CREATE TABLE moderation_logs (
        log_id bigint NOT NULL, job_id uuid NOT NULL, created_at timestamptz NOT NULL,
        category_ai_adult_general boolean, category_underage boolean, category_nsfw boolean
    );
"""
FILL = """
    INSERT INTO jobs SELECT gen_random_uuid(), 'client-' || n % 3, (ARRAY['prompt', 'image'])[1 + n % 2],
        (ARRAY['completed', 'failed'])[1 + (n % 9 = 0)::int], CASE WHEN n % 8 > 0 THEN n % 5 = 0 END,
        timestamptz '2026-04-01Z' + n * interval '10 minutes', NULL, 'a harmless prompt ' || n, NULL
    FROM generate_series(1, 4000) AS n;
    INSERT INTO moderation_logs SELECT row_number() OVER (), job_id, created_at, false, false, false FROM jobs;
    ANALYZE;
"""


@pytest.fixture(scope="module")
def ours(server: TestServer) -> Iterator[str]:
    """The URL of our own database, which knows nothing of the source."""
    name = f"fencepost_ours_{uuid4().hex[:8]}"
    yield server.create_migrated(name)
    server.drop(name)


@pytest.fixture
def source(empty_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the source, which is empty."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        yield connection


@contextmanager
def opened(ours: str, source: str | None) -> Iterator[tuple[Databases, Settings]]:
    settings = Settings(database_url=SecretStr(ours), source_database_url=None if source is None else SecretStr(source))
    databases = open_databases(settings)
    try:
        yield databases, settings
    finally:
        databases.close()


def check(ours: str, source: str | None) -> list[Finding]:
    with opened(ours, source) as (databases, settings):
        return list(run_checks(databases, settings))


def of(findings: list[Finding], level: Level) -> list[str]:
    return [finding.text for finding in findings if finding.level is level]


def statements(findings: list[Finding], start: str = "") -> list[str]:
    return [each for finding in findings for each in finding.statements if each.startswith(start)]


def mend(connection: psycopg.Connection, findings: list[Finding], *texts: str) -> None:
    """Run the statements of the findings whose sentences hold one of these texts."""
    for finding in findings:
        if any(text in finding.text for text in texts):
            for statement in finding.statements:
                connection.execute(statement.encode())


def test_a_line_for_each_finding_and_its_statements_alone(run_core: RunCore, connection: psycopg.Connection) -> None:
    """Findings are lines on standard output, statements lines of their own; advice alone leaves the exit code 0."""
    insert_job(connection, prompt="a confidential prompt")
    connection.execute("DROP INDEX jobs_type")

    done = run_core("check")

    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line for line in lines if not re.match(r"(OK|ADVICE)\s+\S.*[.:]$|CREATE ", line)] == []
    assert lines[0].startswith("OK       DATABASE_URL is PostgreSQL ")
    assert [line for line in lines if line.startswith("CREATE INDEX") and "gin" not in line] == [
        "CREATE INDEX CONCURRENTLY ON public.jobs (type, created_at, job_id);"
    ]
    assert "confidential" not in done.stdout.decode()


def test_tables_that_are_ours_lack_nothing(ours: str) -> None:
    """What `migrate` makes has every index; of what may be missing only pg_trgm is the server's affair."""
    findings = check(ours, None)

    assert of(findings, Level.PROBLEM) == []
    assert [text for text in of(findings, Level.ADVICE) if "pg_trgm" not in text and "owns audit" not in text] == [
        "There are no jobs: see that the tables or views are the right ones, if there should be some."
    ]


def test_a_database_of_ours_that_cannot_be_written_is_a_problem(database_url: str) -> None:
    """A server that looks at such a one starts, and can export nothing."""
    with psycopg.connect(database_url) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))

    said = of(check(database_url, None), Level.PROBLEM)

    assert [text for text in said if "cannot be written" in text] == [
        "DATABASE_URL cannot be written, because default_transaction_read_only is on: turn it off, for the role "
        "postgres, the database or the server."
    ]


def test_a_short_key_of_the_audit_is_told(ours: str, caplog: pytest.LogCaptureFixture) -> None:
    """It opens as before, because events may be hashed with it; the check and the log of a server say what to do."""
    said = "FENCEPOST_AUDIT_KEY has fewer than 32 characters, and whoever guesses it can forge the audit: rotate it"

    def keyed(key: str) -> tuple[bool, bool]:
        caplog.clear()
        settings = Settings(database_url=SecretStr(ours), fencepost_audit_key=SecretStr(key))
        with closing(open_databases(settings)) as databases:
            databases.check()
            told = of(list(run_checks(databases, settings)), Level.ADVICE)
        return any(text.startswith(said) for text in told), any(said in line for line in caplog.messages)

    assert {key: keyed(key) for key in ("x" * 31, "é" * 31, "x" * 32)} == {
        "x" * 31: (True, True),
        "é" * 31: (True, True),
        "x" * 32: (False, False),
    }


def test_indexes_that_are_wanted_are_those_of_the_migrations(connection: psycopg.Connection) -> None:
    """Of jobs that are ours and of a source the same is asked; what is indexed by an expression is looked at by plans.

    Migrations stay as they are, and tables of others are not migrated, so that the columns stand in both.
    """
    made = connection.execute("""
        SELECT ARRAY(SELECT pg_get_indexdef(indexrelid, place, true) FROM generate_series(1, indnkeyatts) AS place),
            coalesce(replace(pg_get_expr(indpred, indrelid, true), '::text', ''), '')
        FROM pg_index WHERE indrelid = 'jobs'::regclass AND indexprs IS NULL
    """).fetchall()

    wanted = [(list(each.columns), each.rows) for each in (EVERYTHING, ONE_JOB, *FILTERS)]

    assert sorted(made) == sorted(wanted)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://fencepost:hunter2@127.0.0.1:1/jobs",
            "Cannot reach the database jobs at 127.0.0.1:1: start PostgreSQL or correct DATABASE_URL.",
        ),
        (
            None,
            "There is no database fencepost_there_is_none in DATABASE_URL: make it with `createdb "
            "fencepost_there_is_none`, then run `python -m core migrate`.",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_one_line(
    run_core: RunCore, server: TestServer, url: str | None, said: str
) -> None:
    """Where nothing can be looked at, one line says why, and the exit code is 1."""
    done = run_core("check", DATABASE_URL=url or server.url_of("fencepost_there_is_none"))

    assert (done.returncode, done.stdout.decode(), done.stderr) == (1, f"PROBLEM  {said}\n", b"")


def test_a_source_that_does_not_answer_is_one_line(ours: str) -> None:
    """Our own database is looked at all the same."""
    findings = check(ours, "postgresql://fencepost:hunter2@127.0.0.1:1/jobs")

    assert of(findings, Level.PROBLEM) == [
        "Cannot reach the database jobs at 127.0.0.1:1: start PostgreSQL or correct SOURCE_DATABASE_URL."
    ]
    assert findings[1].text == "Fencepost's own tables in DATABASE_URL are those of this version."


def test_a_database_that_is_not_migrated_is_named(empty_database_url: str) -> None:
    """Where the jobs are to be ours, `migrate` is the remedy."""
    findings = check(empty_database_url, None)

    assert of(findings, Level.PROBLEM) == [
        "There is no table or view `jobs`: run `python -m core migrate`.",
        "There is no table or view `moderation_logs`: run `python -m core migrate`.",
        "The tables in DATABASE_URL are missing or old: run `python -m core migrate`.",
    ]


def test_columns_of_api_keys_are_optional(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """A source without them is told what it lacks, as something that is all right; no index is advised for them."""
    source.execute(BARE.format("").encode())

    without = check(ours, empty_database_url)
    source.execute("ALTER TABLE jobs ADD api_key_id text, ADD api_key_name text")
    with_both = check(ours, empty_database_url)

    said = (
        "`jobs` does not have both of api_key_id and api_key_name, which are optional: without them nobody sees which "
        "API key a job was submitted with, and the filter api_key_id finds nothing."
    )
    assert [said in of(found, Level.OK) for found in (without, with_both)] == [True, False]
    assert [
        "api_key_id" in " ".join(of(found, Level.ADVICE) + of(found, Level.PROBLEM)) for found in (without, with_both)
    ] == [False, True]


def test_missing_tables_are_named(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """One line each; a table in a schema that is not looked at is found there, and the statement helps."""
    source.execute(BARE.format("").encode())
    source.execute("CREATE SCHEMA app; ALTER TABLE jobs SET SCHEMA app; DROP TABLE moderation_logs")

    findings = check(ours, empty_database_url)
    mend(source, findings, "`jobs` is in the schema app")
    mended = check(ours, empty_database_url)

    missing = (
        "There is no table or view `moderation_logs`: give it the tables or views `jobs` and `moderation_logs` "
        "(see docs/own-database.md)."
    )
    assert of(findings, Level.PROBLEM) == [
        "`jobs` is in the schema app, where queries of this role do not look: put it on the path.",
        missing,
    ]
    assert of(mended, Level.PROBLEM) == [missing]


def test_what_the_server_is_like_is_told(ours: str, server: TestServer) -> None:
    """An encoding that checks nothing is a problem, and a standby that should answer and does not is named."""
    name = f"fencepost_ascii_{uuid4().hex[:8]}"
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    server.execute(sql.SQL(create).format(sql.Identifier(name)))
    url = f"{server.url_of(name)}&target_session_attrs=prefer-standby"

    findings = check(ours, url)
    server.drop(name)

    assert of(findings, Level.PROBLEM)[0] == (
        "The database is encoded in SQL_ASCII, which checks nothing: a text that is no UTF-8 ends an export. Move the "
        "data to a database with ENCODING 'UTF8'."
    )
    assert of(findings, Level.ADVICE)[0] == (
        "SOURCE_DATABASE_URL prefers a standby, and none answers, so the primary does the work: look at the standby."
    )


def test_an_index_that_does_half_of_it_is_told(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """An index on created_at alone, and one on a log's job alone, are worth a better one, and never a problem."""
    source.execute(BARE.format("").encode())
    source.execute(FILL.encode())
    source.execute("CREATE INDEX ON jobs (created_at); CREATE INDEX ON moderation_logs (job_id)")

    findings = check(ours, empty_database_url)

    half = ("An index on jobs (created_at, job_id) would", "An index on moderation_logs begins with job_id")
    told = [finding for finding in findings if finding.text.startswith(half)]
    assert [(finding.level, len(finding.statements)) for finding in told] == [(Level.ADVICE, 1)] * 2
    assert of(findings, Level.PROBLEM) == []


@pytest.mark.parametrize("partitioned", [False, True])
def test_missing_indexes_are_made_by_the_statements(
    ours: str, source: psycopg.Connection, empty_database_url: str, partitioned: bool
) -> None:
    """Each missing index has its statement and its cost; when they have run, none is missing any more."""
    source.execute(BARE.format(" PARTITION BY RANGE (created_at)" if partitioned else "").encode())
    if partitioned:
        source.execute("""
            CREATE TABLE jobs_april PARTITION OF jobs FOR VALUES FROM ('2026-04-01Z') TO ('2026-05-01Z');
            CREATE TABLE jobs_later PARTITION OF jobs DEFAULT;
        """)
    source.execute(FILL.encode())

    before = check(ours, empty_database_url)
    mend(source, before, "No index on ")
    after = check(ours, empty_database_url)

    missing = [text for text in of(before, Level.ADVICE) if text.startswith("No index on ")]
    assert len(missing) == 9
    assert all(re.search(r"about \d+ [kM]B of disk and a few seconds to make", text) for text in missing)
    assert [finding.text for finding in after if finding.text.startswith(("No index on ", "An index on"))] == [
        "An index on jobs (created_at, job_id) serves pages and exports, all of them.",
        "An index on moderation_logs (job_id, created_at, log_id) serves the latest log of a job.",
        "An index on jobs (job_id) serves opening one job.",
    ]
    of_facts = statements(after, "CREATE INDEX job_")
    assert statements(after, "CREATE INDEX") == of_facts
    assert statements(after, "CREATE UNIQUE") == []


def test_facts_of_an_earlier_version_are_brought_up_to_date(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """An owner's facts go on without what is new; the statements add it, and filling anew gives it to all jobs."""
    source.execute(BARE.format("").encode())
    source.execute(FILL.encode())
    mend(source, check(ours, empty_database_url), "No index on ", "Facts kept beside the jobs")
    fill_facts(source)
    with opened(ours, empty_database_url) as (databases, _):
        expected = export_document(databases, april())
    source.execute("ALTER TABLE job_facts DROP COLUMN created_text, DROP COLUMN completed_text")
    source.execute("DROP TABLE job_reasons, job_reason_counts")

    with opened(ours, empty_database_url) as (databases, _):
        assert export_document(databases, april()) == expected
    before = check(ours, empty_database_url)
    mend(source, before, "of an earlier version")
    source.execute("UPDATE job_facts_state SET is_complete = false, filled_to = NULL")
    fill_facts(source)

    lacking = [text for text in of(before, Level.ADVICE) if "of an earlier version" in text]
    assert ["reasons" in text and "times" in text for text in lacking] == [True]
    assert "of an earlier version" not in "".join(of(check(ours, empty_database_url), Level.ADVICE))
    assert source.execute("SELECT count(*) FROM job_facts WHERE created_text IS NULL").fetchone() == (0,)
    with opened(ours, empty_database_url) as (databases, _):
        assert export_document(databases, april()) == expected


def fill_facts(source: psycopg.Connection) -> None:
    """Fill facts as an owner is told to."""
    while source.execute("SELECT job_facts_fill_next()").fetchone() != (None,):
        pass


def test_missing_indexes_behind_a_view_over_partitions_are_made(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """A view over one partitioned table gets the statements of its partitions, whose names need quotes here."""
    source.execute(BARE.format(" PARTITION BY RANGE (created_at)").encode())
    source.execute("""
        ALTER TABLE jobs RENAME TO "The Jobs";
        CREATE TABLE "April's" PARTITION OF "The Jobs" FOR VALUES FROM ('2026-04-01Z') TO ('2026-05-01Z');
        CREATE TABLE "Later" PARTITION OF "The Jobs" DEFAULT;
        CREATE VIEW jobs AS SELECT job_id, lower(client_id) AS client_id, 'prompt'::text AS type, status, is_prohibited,
            created_at, completed_at, prompt, reason FROM "The Jobs" WHERE reason IS NULL;
    """)
    source.execute(FILL.replace("INTO jobs", 'INTO "The Jobs"').encode())

    before = check(ours, empty_database_url)
    mend(source, before, "No index on ")
    after = check(ours, empty_database_url)

    assert len([text for text in of(before, Level.ADVICE) if text.startswith("No index on ")]) == 8
    assert statements(after, "CREATE INDEX") == statements(after, "CREATE UNIQUE") == []
    assert of(after, Level.PROBLEM) == []


def test_where_there_is_much_the_first_indexes_are_not_optional(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """Beyond a hundred thousand jobs a missing index for exports or for logs is a problem, with what it takes."""
    source.execute(BARE.format("").encode())
    # What ANALYZE would find in a table of a million jobs, where nothing but its size is to be believed.
    source.execute(FILL.encode())
    source.execute("UPDATE pg_class SET reltuples = 1000000 WHERE oid = 'jobs'::regclass")

    problems = of(check(ours, empty_database_url), Level.PROBLEM)

    assert [text.split(" serves ")[0] for text in problems] == [
        "No index on jobs (created_at, job_id)",
        "No index on moderation_logs (job_id, created_at, log_id)",
    ]
    assert re.search(r"make one, about \d+ MB of disk", problems[0])


def test_an_index_that_failed_is_named(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """What CREATE INDEX CONCURRENTLY leaves when it fails serves nothing, and costs all the same."""
    source.execute(BARE.format("").encode())
    for _ in range(2):
        insert_job(source, job_id=UUID(int=1))
    with pytest.raises(psycopg.errors.UniqueViolation):
        source.execute("CREATE UNIQUE INDEX CONCURRENTLY twice ON jobs (job_id)")

    findings = check(ours, empty_database_url)

    assert "DROP INDEX CONCURRENTLY twice;" in statements(findings)


ODD_TYPES = """
    CREATE TYPE state AS ENUM ('queued', 'processing', 'completed', 'failed');
    CREATE DOMAIN account AS text;
    CREATE TABLE jobs (
        job_id bigint PRIMARY KEY, client_id account NOT NULL, type varchar(10) NOT NULL, status state NOT NULL,
        is_prohibited integer, created_at timestamp NOT NULL, completed_at timestamp(0) with time zone, prompt json
    );
    CREATE TABLE moderation_logs (
        log_id integer NOT NULL, job_id bigint NOT NULL, created_at timestamp NOT NULL,
        category_ai_adult_general text, category_underage numeric(3, 2)
    );
    INSERT INTO jobs VALUES (255, 'acme', 'prompt', 'completed', 1, '2026-04-15 12:00', NULL, '["a prompt"]');
    INSERT INTO moderation_logs VALUES (1, 255, '2026-04-15 12:00', 'yes', 0);
"""


def test_other_types_are_cast_by_the_view_that_is_suggested(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """Each column of another type is named; the view casts them all, and exports and pages then work."""
    source.execute(ODD_TYPES.encode())

    before = check(ours, empty_database_url)
    mend(source, before, "This view gives")
    after = check(ours, empty_database_url)
    with opened(ours, empty_database_url) as (databases, _):
        document = export_document(databases, april(), workers=2)

    assert [text.split(":")[0] for text in of(before, Level.PROBLEM)] == [
        "jobs.job_id is bigint, and queries need uuid",
        "jobs.status is state, and queries need text",
        "jobs.is_prohibited is integer, and queries need boolean",
        "jobs.created_at is timestamp without time zone, and queries need timestamp with time zone",
        "jobs.prompt is json, and queries need text",
        "There is no column jobs.reason, a text",
        "moderation_logs.job_id is bigint, and queries need uuid",
        "moderation_logs.created_at is timestamp without time zone, and queries need timestamp with time zone",
        "moderation_logs.category_ai_adult_general is text, and queries need boolean",
        "moderation_logs.category_underage is numeric(3,2), and queries need boolean",
        "There is no column moderation_logs.category_nsfw, a boolean",
    ]
    assert "jobs.type is character varying(10), which is read as text is; a view can cast it." in of(
        before, Level.ADVICE
    )
    assert of(after, Level.PROBLEM) == []
    assert document.splitlines()[1] == (
        b"00000000-0000-0000-0000-0000000000ff,prompt,completed,true,2026-04-15T12:00:00.000000Z,,"
        b'"[""a prompt""]",,true,false,'
    )


def test_a_role_whose_names_are_all_quoted_is_told_the_same(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """`quote_all_identifiers` of a role or a server changes no finding."""
    source.execute(BARE.format("").encode())
    before = check(ours, empty_database_url)
    source.execute(
        sql.SQL("ALTER DATABASE {} SET quote_all_identifiers = on").format(sql.Identifier(source.info.dbname))
    )

    after = check(ours, empty_database_url)

    assert after == before


@pytest.fixture
def reader(source: psycopg.Connection) -> Iterator[str]:
    """A role that may do nothing."""
    role = f"fencepost_reader_{uuid4().hex[:8]}"
    source.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    yield role
    source.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
    source.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_rights_are_told(ours: str, source: psycopg.Connection, empty_database_url: str, reader: str) -> None:
    """A role that cannot read gets its grant; one that can write is advised against; one that only reads is right."""
    source.execute(BARE.format("").encode())
    insert_job(source)
    url = as_role(empty_database_url, reader)

    blind = check(ours, url)
    mend(source, blind, "cannot read")
    seeing = check(ours, url)
    source.execute(sql.SQL("GRANT INSERT, DELETE ON jobs TO {}").format(sql.Identifier(reader)))
    writing = check(ours, url)
    owner = check(ours, empty_database_url)

    assert of(blind, Level.PROBLEM) == [
        f"The role {reader} cannot read `jobs`: grant it, as its owner.",
        f"The role {reader} cannot read `moderation_logs`: grant it, as its owner.",
    ]
    assert of(seeing, Level.PROBLEM) == []
    assert f"The role {reader} cannot write what it reads." in of(seeing, Level.OK)
    assert [text.split(".")[0] for text in of(writing, Level.ADVICE) if reader in text] == [
        f"The role {reader} has INSERT, DELETE on `jobs`"
    ]
    assert any(re.match(r"The role \w+ (is a superuser|owns `jobs`)", text) for text in of(owner, Level.ADVICE))


def test_policies_that_hide_rows_are_told(
    ours: str, source: psycopg.Connection, empty_database_url: str, reader: str
) -> None:
    """Row-level security that applies to the role is told; its owner sees all rows."""
    source.execute(BARE.format("").encode())
    insert_job(source)
    source.execute("ALTER TABLE jobs ENABLE ROW LEVEL SECURITY")
    source.execute(sql.SQL("GRANT SELECT ON jobs, moderation_logs TO {}").format(sql.Identifier(reader)))

    hidden = check(ours, as_role(empty_database_url, reader))
    mend(source, hidden, "Row-level security")
    shown = check(ours, as_role(empty_database_url, reader))
    owner = check(ours, empty_database_url)

    assert any(
        text.startswith(f"Row-level security of public.jobs shows the role {reader}")
        for text in of(hidden, Level.ADVICE)
    )
    assert any(text.startswith("There are no jobs") for text in of(hidden, Level.ADVICE))
    assert not any(text.startswith("There are no jobs") for text in of(shown, Level.ADVICE))
    assert any("it sees all rows" in text for text in of(owner, Level.OK))


def test_a_snapshot_that_cannot_be_shared_is_told(
    ours: str, source: psycopg.Connection, empty_database_url: str, reader: str
) -> None:
    """Where no snapshot is given out, as by another engine, exports use one connection, and the finding says so."""
    source.execute(BARE.format("").encode())
    source.execute(sql.SQL("GRANT SELECT ON jobs, moderation_logs TO {}").format(sql.Identifier(reader)))
    source.execute("REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC")

    findings = check(ours, as_role(empty_database_url, reader))

    assert any("(it gives none out), so that exports use one connection" in text for text in of(findings, Level.ADVICE))


def test_faults_of_the_data_are_told(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """What would surprise in pages and exports is counted, as far as the time allows, and no prompt is said."""
    source.execute(BARE.format("").encode())
    source.execute("""
        ALTER TABLE jobs ALTER created_at DROP NOT NULL, ALTER client_id DROP NOT NULL;
        ALTER TABLE moderation_logs ALTER log_id ADD GENERATED BY DEFAULT AS IDENTITY;
    """)
    insert_job(source, status="done", prompt="a confidential prompt")
    insert_job(source, created_at=None)
    insert_job(source, client_id=None)
    for _ in range(2):
        insert_job(source, job_id=UUID(int=1))
    source.execute("INSERT INTO jobs SELECT gen_random_uuid(), 'a', 'a', 'queued', NULL, '2026-04-01Z', 'infinity'")
    insert_log(source, uuid4())

    findings = check(ours, empty_database_url)

    assert of(findings, Level.PROBLEM) == [
        "created_at is null in 1 of 6 jobs, which no page or export shows: give a time, in the table or in a view.",
        "client_id is null in 1 of 6 jobs, which no client's key sees: name one, such as coalesce(client_id, "
        "'unknown') in a view.",
        "created_at or completed_at is beyond all years, as infinity is, in 1 of 6 jobs, which no page can show: "
        "correct it, or let a view make completed_at null.",
        "status is none of queued, processing, completed, failed in 1 of 6 jobs (“done”), which no filter of status "
        "finds: map it by CASE in a view (docs/own-database.md).",
        "Some job_id occurs more than once among jobs, so that exports repeat it and pages stumble over it: see that "
        "no join of the view repeats a job, and that the id is made of a key.",
    ]
    assert "ALTER TABLE public.jobs ALTER COLUMN client_id SET NOT NULL;" in statements(findings)
    assert any("some refer to jobs that don't exist" in text for text in of(findings, Level.ADVICE))
    assert not any("confidential" in finding.text for finding in findings)


def test_a_view_whose_cast_fails_is_told(ours: str, source: psycopg.Connection, empty_database_url: str) -> None:
    """A value that a view cannot cast would cut each export: it is found before."""
    source.execute(BARE.format("").encode())
    insert_job(source, reason="not a number")
    source.execute("""
        CREATE SCHEMA views;
        CREATE VIEW views.jobs AS SELECT job_id, client_id, type, status, is_prohibited, created_at, completed_at,
            prompt, (reason::integer)::text AS reason FROM public.jobs;
    """)

    findings = check(ours, f"{empty_database_url}&options=-csearch_path%3Dviews%2Cpublic")

    assert of(findings, Level.PROBLEM) == [
        "Some rows cannot be read, and an export ends where it meets one: see that every cast in a view takes every "
        "value that there is."
    ]


def test_a_view_over_several_tables_is_looked_at_by_plans(
    ours: str, source: psycopg.Connection, empty_database_url: str
) -> None:
    """Where no statement can be written for a view, it is said, and indexes are still found."""
    source.execute(BARE.format("").encode())
    source.execute(FILL.encode())
    source.execute("""
        CREATE SCHEMA views;
        CREATE TABLE accounts (client_id text PRIMARY KEY, name text NOT NULL);
        INSERT INTO accounts SELECT DISTINCT client_id, upper(client_id) FROM jobs;
        CREATE VIEW views.jobs AS SELECT job_id, name AS client_id, type, status, is_prohibited, created_at,
            completed_at, prompt, reason FROM public.jobs JOIN public.accounts USING (client_id);
    """)

    findings = check(ours, f"{empty_database_url}&options=-csearch_path%3Dviews%2Cpublic")

    assert of(findings, Level.PROBLEM) == []
    assert any("it is a view over 2 tables" in text for text in of(findings, Level.ADVICE))
    assert any(text.startswith("No index on jobs (created_at, job_id)") for text in of(findings, Level.ADVICE))
    assert statements(findings, "CREATE INDEX") == [
        "CREATE INDEX CONCURRENTLY ON public.moderation_logs (job_id, created_at, log_id) INCLUDE "
        "(category_ai_adult_general, category_underage, category_nsfw);"
    ]


def test_on_a_server_with_pg_trgm_its_index_is_suggested_and_helps() -> None:
    """Searches get their index, which is found behind a view, too; of foreign tables it is said what is different."""
    with running_server(find_programs("pg_trgm"), locale="C") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE service")
            connection.execute("CREATE DATABASE ours")
        service, ours = (url.replace("/postgres?", f"/{name}?") for name in ("service", "ours"))
        migrate(Settings(database_url=SecretStr(ours)))
        with psycopg.connect(service, autocommit=True) as connection:
            connection.execute(BARE.format("").encode())
            connection.execute(FILL.encode())
            before = check(ours, service)
            mend(connection, before, "No index")
            after = check(ours, service)
            connection.execute("ALTER TABLE jobs RENAME TO tasks; CREATE VIEW jobs AS TABLE tasks")
            with opened(ours, service) as (databases, _):
                is_indexed = databases.source.folding().is_indexed
            host = connection.info.host
            connection.execute(
                f"""
                DROP VIEW jobs;
                CREATE EXTENSION postgres_fdw;
                CREATE SERVER shard FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', dbname 'ours');
                CREATE USER MAPPING FOR postgres SERVER shard OPTIONS (user 'postgres');
                IMPORT FOREIGN SCHEMA public LIMIT TO (jobs) FROM SERVER shard INTO public;
            """.encode()
            )
            foreign = check(ours, service)

    assert "CREATE EXTENSION pg_trgm;" in statements(before)
    assert "An index of trigrams serves searches in prompts." in of(after, Level.OK)
    assert is_indexed
    assert [text for text in of(after, Level.ADVICE) if "index" in text] == []
    assert [of(findings, Level.PROBLEM) for findings in (before, after, foreign)] == [[], [], []]
    assert any("an export uses one connection" in text for text in of(foreign, Level.ADVICE))
    assert any(text.startswith("The indexes of foreign tables") for text in of(foreign, Level.ADVICE))


def test_a_collation_that_takes_texts_as_equal_is_told(ours: str) -> None:
    """Where `Acme` is `acme` a key would see both; behind the view that is suggested it sees its own client's jobs."""
    careless = "client_id text COLLATE careless"
    with running_server(find_programs("plpgsql"), locale="C") as service:
        with psycopg.connect(service, autocommit=True) as connection:
            connection.execute(
                "CREATE COLLATION careless (provider=icu, locale='und-u-ks-level2', deterministic=false)"
            )
            connection.execute(BARE.format("").replace("client_id text", careless).encode())
            for client in ("acme", "Acme"):
                insert_job(connection, client_id=client, prompt=f"of {client}")
            before = check(ours, service)
            mend(connection, before, "This view gives")
        after = check(ours, service)
        with opened(ours, service) as (databases, _):
            document = export_document(databases, april(), Wall("acme"))

    assert of(before, Level.PROBLEM) == [
        "The collation of jobs.client_id takes different texts for the same, so that a key sees the jobs of another "
        "client, or a filter finds what it should not: give it another one in a view."
    ]
    assert of(after, Level.PROBLEM) == []
    assert [record[6] for record in read_records(document)] == ["of acme"]
