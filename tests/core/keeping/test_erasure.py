"""Erasing for good: no row, index or statistic has the text any more, holds are kept, and no import brings it back."""

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from core.actor import COMMAND_LINE
from core.audit.verification import check_chain
from core.counts.fact_upkeep import count_wrong, keep_facts
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.partitions import make_months
from core.db.startup import migrate, open_databases
from core.errors import InvalidParameter, NotPossible
from core.export.receipts import Progress, Via, open_receipt, renew_receipt
from core.intake.importer import import_jobs
from core.intake.job_file import JobFile
from core.jobs.filter import JobFilter
from core.keeping.erasure import erase
from core.keeping.forgetting import forget_old
from core.keeping.holds import Held, end_hold, list_holds, place_hold
from core.keeping.survey import Target
from core.review.claims import claim
from core.review.drafts import draft_of, hold_off_erasing, keep_draft
from core.review.noted_reasons import mark_underage
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from tests.core.keeping.test_forgetting import ADA, BEN, KEEPING, NOW
from tests.core.review.test_verdicts import job
from tests.support.documents import HEADER, april, export_document
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.waiting import wait_for

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]

# Words that stand nowhere else; harmless ones.
PROMPT, REASON, NOTE, DRAFT = "zebrafinch teapot", "quokka saucer", "wombat kettle", "numbat spoon"
SECRETS = (PROMPT, REASON, NOTE, DRAFT)

# How many wait for a lock of ours.
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

WAITING_FOR_TABLES = "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"

APRIL = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


def fill(databases: Databases, connection: psycopg.Connection, *, prompt: str = PROMPT) -> tuple[UUID, UUID]:
    """Add a job with everything that can be about it, and another one that stays; return their ids."""
    gone = insert_job(connection, is_prohibited=True, prompt=prompt, reason=REASON)
    stays = insert_job(connection, client_id="other", is_prohibited=True, reason="a rule")
    for job_id in (gone, gone, stays):
        insert_log(connection, job_id, category_nsfw=True)
    for person, verdict in ((ADA, Verdict.ESCALATE), (BEN, Verdict.AGREE)):
        record_review(databases, person, [job(databases, gone)], Review(verdict, note=NOTE))
        record_review(databases, person, [job(databases, stays)], Review(verdict, note="a note"))
    keep_draft(databases.ours, ADA, gone, DRAFT)
    claim(databases.ours, ADA, gone)
    known = "INSERT INTO gold_turns (person, job_id, should_reject, note) VALUES ('user:b', %s, true, %s)"
    connection.execute(known, [gone, DRAFT])
    mark_underage(databases, ADA, "a rule", is_underage=True)
    connection.execute("INSERT INTO noted_reasons (reason, is_underage) VALUES (%s, true)", [REASON])
    sample_id = uuid4()
    connection.execute(
        "INSERT INTO samples (sample_id, name, drawn_by, filter, strata, seed)"
        " VALUES (%s, 'a', 'cli', '{}', '{decision,reason}', 1)",
        [sample_id],
    )
    for number, reason in enumerate((REASON, "a rule"), 1):
        connection.execute(
            "INSERT INTO sample_strata VALUES (%s, %s, %s, 1)", [sample_id, number, Jsonb([True, reason])]
        )
    connection.execute(
        "INSERT INTO sample_jobs SELECT %s, job_id, 1, 1, client_id, created_at, true FROM jobs WHERE job_id = %s",
        [sample_id, gone],
    )
    keep_facts(databases.ours)
    return gone, stays


def export(databases: Databases, filter_: dict[str, str] | None = None, *, rows: int = 1) -> str:
    """Leave the receipt of an export; return its id."""
    export_id = uuid4()
    open_receipt(
        databases, COMMAND_LINE, export_id, JobFilter.from_params((APRIL | (filter_ or {})).items()), via=Via.CLI
    )
    renew_receipt(databases.ours, export_id, Progress(rows=rows))
    return str(export_id)


def one(connection: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query.encode()).fetchall()


@pytest.fixture
def two(databases: Databases, connection: psycopg.Connection) -> tuple[UUID, UUID]:
    return fill(databases, connection)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server of its own, whose files nobody else writes."""
    server = EmbeddedServer(tmp_path_factory.mktemp("erasing") / "server")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("partitioned", "target"), [(False, "--job"), (True, "--client")], ids=["a job", "a client in months"]
)
def test_no_file_has_the_text_any_more(
    own_server: EmbeddedServer, run_core: RunCore, partitioned: bool, target: str
) -> None:
    """After an erasure that writes tables anew, no file of a table, an index or a statistic holds a word of it.

    They did before. What PostgreSQL writes ahead (`pg_wal`) is not looked at: it is overwritten in time.
    """
    name = f"erasing_{partitioned}".lower()
    with psycopg.connect(own_server.url("postgres", "postgres"), autocommit=True) as making:
        making.execute(f"CREATE DATABASE {name} OWNER fencepost".encode())
    url = own_server.url(database=name)
    settings = Settings(database_url=SecretStr(url))
    migrate(settings, partitioned=partitioned)
    databases = open_databases(settings)
    make_months(databases.ours.transaction, [NOON])
    with psycopg.connect(url, autocommit=True) as connection:
        # A long one lies beside the table, and is not compressed.
        gone, stays = fill(databases, connection, prompt=PROMPT + (token_hex(4000) if partitioned else ""))
        # What PostgreSQL does by itself after a while: it keeps the commonest texts of each column.
        connection.execute("VACUUM ANALYZE")
        with psycopg.connect(own_server.url("postgres", "postgres"), autocommit=True) as owner:
            owner.execute("CHECKPOINT")
            before = [secret for secret in SECRETS if holders(own_server, secret)]

            done = run_core(
                "erase", target, "acme" if partitioned else str(gone), "--rewrite", "--yes", DATABASE_URL=url
            )
            owner.execute("CHECKPOINT")
        left = {secret: holders(own_server, secret) for secret in SECRETS}
        notes = one(connection, "SELECT client_id, verdict, note FROM reviews ORDER BY review_id")
        with databases.ours.transaction() as reading:
            wrong = count_wrong(reading)
        jobs = one(connection, "SELECT job_id FROM jobs")
    databases.close()

    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert done.stdout.decode().startswith("Erased 1 job, 2 logs, 2 notes and 1 draft of ")
    assert before == list(SECRETS)
    assert left == {secret: [] for secret in SECRETS}
    assert notes == [
        ("acme", "escalate", ""),
        ("other", "escalate", "a note"),
        ("acme", "agree", None),
        ("other", "agree", "a note"),
    ]
    assert (jobs, wrong) == ([(stays,)], 0)


def holders(server: EmbeddedServer, text: str) -> list[str]:
    """Return the files of the databases that hold a text, or the trigrams' folded form of it."""
    return [
        path.relative_to(server.data).as_posix()
        for folder in ("base", "global", "pg_stat")
        for path in sorted((server.data / folder).rglob("*"))
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_what_counts_stays(databases: Databases, connection: psycopg.Connection, two: tuple[UUID, UUID]) -> None:
    """Verdicts, samples and the other client's job are as they were, without a text of the erased job."""
    erase(databases, COMMAND_LINE, Target(job_id=two[0]))

    with databases.ours.transaction() as reading:
        assert count_wrong(reading) == 0
    assert one(connection, "SELECT job_id, client_id FROM jobs") == [(two[1], "other")]
    assert one(connection, "SELECT DISTINCT job_id FROM moderation_logs") == [(two[1],)]
    assert one(connection, "SELECT job_id, code > 0 FROM job_facts") == [(two[1], True)]
    assert one(connection, "SELECT sum(total) FROM job_counts WHERE client_id IS NULL") == [(1,)]
    assert one(connection, "SELECT verdict, note FROM reviews WHERE client_id = 'acme' ORDER BY review_id") == [
        ("escalate", ""),
        ("agree", None),
    ]
    assert one(connection, "SELECT values FROM sample_strata ORDER BY stratum") == [
        ([True, "(erased)"],),
        ([True, "a rule"],),
    ]
    assert one(connection, "SELECT count(*) FROM sample_jobs") == [(1,)]
    assert one(connection, "SELECT reason FROM noted_reasons") == [("a rule",)]
    assert one(connection, "SELECT reason_hash = hashtextextended('a rule', 0) FROM job_reasons") == [(True,)]
    assert one(connection, "SELECT count(*) FROM review_claims") == [(0,)]
    assert one(connection, "SELECT note FROM gold_turns") == [(None,)]


def test_a_reason_that_others_have_stays(databases: Databases, connection: psycopg.Connection) -> None:
    """The name of a rule stays where another job has it, without the hash of the erased prompt."""
    ids = [insert_job(connection, reason="a rule", prompt=f"prompt {number}") for number in range(6)]
    connection.execute("UPDATE jobs SET created_at = created_at")
    keep_facts(databases.ours)
    before = one(connection, "SELECT reason, hashtextextended('prompt 0', 0) = ANY (prompts) FROM job_reasons")

    erase(databases, COMMAND_LINE, Target(job_id=ids[0]))

    assert before[0][0] == "a rule"
    assert one(connection, "SELECT reason, hashtextextended('prompt 0', 0) = ANY (prompts) FROM job_reasons") == [
        ("a rule", False)
    ]


@pytest.mark.parametrize("by_client", [False, True])
def test_exports_that_may_hold_it_are_named(
    databases: Databases, connection: psycopg.Connection, two: tuple[UUID, UUID], run_core: RunCore, by_client: bool
) -> None:
    """Receipts whose bounds, client and ids include the job are printed and are in the audit, which has no text."""
    held = [
        export(databases),
        export(databases, {"client_id": "acme", "q": "anything"}),
        export(databases, {"job_id": f"00000000,{str(two[0])[:9].upper()}"}),
    ]
    export(databases, {"client_id": "other"})
    export(databases, {"from": "2026-04-16T00:00:00Z"})
    if not by_client:
        export(databases, {"job_id": "ffffffff"})
    # Nothing of it went out.
    connection.execute(
        "UPDATE exports SET status = 'failed', finished_at = now() WHERE export_id = %s", [export(databases, rows=0)]
    )

    done = run_core("erase", *(("--client", "acme") if by_client else ("--job", str(two[0]))), "--yes")

    named = [line.split()[4] for line in done.stdout.decode().splitlines()[1:]]
    ((subject, details),) = one(connection, "SELECT subject, details FROM audit_events WHERE event = 'jobs-erased'")
    assert named == held
    assert subject == ("acme" if by_client else str(two[0]))
    assert isinstance(details, dict)
    assert (details["exports"], details["jobs"], details["notes"], details["drafts"]) == (held, 1, 2, 1)
    assert [secret for secret in SECRETS if secret in json.dumps(details) + done.stdout.decode()] == []
    assert b"--rewrite writes the tables anew" in done.stderr
    check_chain(databases)


def test_exports_that_begin_while_it_is_erased_are_named(databases: Databases, connection: psycopg.Connection) -> None:
    """Until an erasure is committed, an export still has the job."""
    job_id = insert_job(connection)
    with databases.ours.transaction() as writing, ThreadPoolExecutor(1) as others:
        hold_off_erasing(writing)
        erasing = others.submit(erase, databases, COMMAND_LINE, Target(job_id=job_id))
        wait_for(lambda: one(connection, WAITING) == [(1,)], "the erasure waits")
        assert str(job_id) in export_document(databases, april()).decode()
        writing.commit()
        named = [str(each.export_id) for each in erasing.result(30).exports]

    (details,) = one(connection, "SELECT details -> 'exports' FROM audit_events WHERE event = 'jobs-erased'")
    assert details == (named,)
    assert named == [str(export_id) for (export_id,) in one(connection, "SELECT export_id FROM exports")]


@pytest.mark.parametrize("arrives", ["a job", "a log"])
def test_what_arrives_while_jobs_are_erased_is_counted(
    databases: Databases, connection: psycopg.Connection, arrives: str
) -> None:
    """The audit tells how many jobs, logs, notes and drafts were erased, not how many there were at the first look."""
    first = insert_job(connection)

    with ThreadPoolExecutor(1) as threads, psycopg.connect(databases.ours.conninfo) as writing:
        if arrives == "a job":
            writing.execute("LOCK TABLE jobs IN SHARE MODE")
        else:
            # It holds its job until it is committed.
            insert_log(writing, first)
        erasing = threads.submit(erase, databases, COMMAND_LINE, Target(client_id="acme"))
        wait_for(lambda: one(connection, "SELECT FROM pg_locks WHERE NOT granted"), "an erasure that deletes")
        if arrives == "a job":
            insert_log(writing, insert_job(writing))
        writing.commit()
        found = erasing.result(30)

    jobs = 2 if arrives == "a job" else 1
    details = "SELECT details -> 'jobs', details -> 'logs' FROM audit_events WHERE event = 'jobs-erased'"
    assert one(connection, details) == [(jobs, 1)]
    assert (found.jobs, found.logs) == (jobs, 1)
    assert one(connection, "SELECT FROM jobs UNION ALL SELECT FROM moderation_logs") == []


def test_logs_are_counted_where_the_server_counts_nothing(databases: Databases, connection: psycopg.Connection) -> None:
    """`track_counts` may be off; what the audit tells does not depend on it."""
    name = psycopg.sql.Identifier(connection.info.dbname)
    connection.execute(psycopg.sql.SQL("ALTER DATABASE {} SET track_counts = off").format(name))
    insert_log(connection, insert_job(connection))

    found = erase(databases, COMMAND_LINE, Target(client_id="acme"))

    assert (found.jobs, found.logs) == (1, 1)


def test_an_import_does_not_bring_it_back(databases: Databases, connection: psycopg.Connection) -> None:
    """Records of erased jobs are left out of a file, and that is said; the others come in."""
    gone, other = uuid4(), uuid4()
    records = "".join(f"{each},prompt,completed,true,2026-04-15T12:00:00Z,,a,b,true,,\n" for each in (gone, other))

    def take() -> tuple[int, int]:
        file = io.BytesIO(HEADER + records.encode())
        job_file = JobFile(file=file, client_id="acme", name="a.csv")
        imported = import_jobs(databases, job_file, COMMAND_LINE)
        return imported.inserted, imported.erased

    first = take()
    erase(databases, COMMAND_LINE, Target(job_id=gone))
    second = take()
    erase(databases, COMMAND_LINE, Target(client_id="acme"))
    third = take()

    assert (first, second, third) == ((2, 0), (0, 1), (0, 2))
    assert one(connection, "SELECT count(*) FROM jobs") == [(0,)]
    assert one(connection, "SELECT details -> 'erased' FROM audit_events ORDER BY seq DESC LIMIT 1") == [(2,)]


def test_the_import_says_what_it_left_out(connection: psycopg.Connection, run_core: RunCore, tmp_path: Path) -> None:
    """One sentence names how many records are of erased jobs."""
    gone = insert_job(connection)
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + f"{gone},prompt,completed,true,2026-04-15T12:00:00Z,,a,b,true,,\n".encode())

    run_core("erase", "--job", str(gone), "--yes")
    done = run_core("import", "--client", "acme", str(file))

    assert done.returncode == 0
    assert b"1 record of jobs that were erased for good was left out.\n" in done.stderr


HOLDS = [
    (Held(client_id="acme"), True),
    (Held(client_id="other"), False),
    (Held(created_from=NOON, created_to=NOON + timedelta(days=1)), True),
    (Held(created_from=NOON - timedelta(days=900), created_to=NOON), False),
    (Held(client_id="acme", created_from=NOON + timedelta(days=1), created_to=NOON + timedelta(days=2)), False),
    (Held(job_id=UUID(int=1)), True),
    (Held(job_id=UUID(int=2)), False),
    (Held(client_id="other", job_id=UUID(int=1)), False),
]


@pytest.mark.parametrize("target", [Target(job_id=UUID(int=1)), Target(client_id="acme")], ids=["job", "client"])
def test_a_hold_keeps_jobs(databases: Databases, connection: psycopg.Connection, target: Target) -> None:
    """Under a hold nothing is erased of what it keeps, and all of it once it has ended; both are in the audit."""
    kept = []
    for held, keeps in HOLDS:
        insert_job(connection, job_id=UUID(int=1))
        hold_id = place_hold(databases, COMMAND_LINE, held, "a letter of a court")
        if keeps:
            refusal = f"The hold {hold_id} keeps this \\(a letter of a court\\): end it first"
            with pytest.raises(NotPossible, match=refusal):
                erase(databases, COMMAND_LINE, target)
            kept += one(connection, "SELECT count(*) FROM jobs")
            end_hold(databases, COMMAND_LINE, hold_id)
        erase(databases, COMMAND_LINE, target)
        kept += one(connection, "SELECT count(*) FROM jobs")
        if not keeps:
            end_hold(databases, COMMAND_LINE, hold_id)

    assert kept == [(1,), (0,), (0,), (1,), (0,), (0,), (0,), (1,), (0,), (0,), (0,)]
    assert one(connection, "SELECT event, count(*)::int FROM audit_events GROUP BY event ORDER BY event") == [
        ("hold-ended", 8),
        ("hold-placed", 8),
        ("jobs-erased", 8),
    ]


def test_a_hold_keeps_jobs_that_arrive_while_others_are_erased(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A job that comes in after holds were looked at, and before its client's jobs are deleted, is not lost."""
    insert_job(connection, created_at=NOON - timedelta(days=1))
    hold_id = place_hold(
        databases, COMMAND_LINE, Held(created_from=NOON, created_to=NOON + timedelta(days=1)), "a letter"
    )

    with ThreadPoolExecutor(1) as threads, psycopg.connect(databases.ours.conninfo) as writing:
        # Holds can be looked at, and nothing can be deleted.
        writing.execute("LOCK TABLE jobs IN SHARE MODE")
        erasing = threads.submit(erase, databases, COMMAND_LINE, Target(client_id="acme"))
        wait_for(lambda: connection.execute(WAITING_FOR_TABLES).fetchone() != (0,), "an erasure that deletes")
        held = insert_job(writing, created_at=NOON)
        writing.commit()
        with pytest.raises(NotPossible, match=f"The hold {hold_id} keeps this"):
            erasing.result()

    assert (held,) in connection.execute("SELECT job_id FROM jobs").fetchall()
    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (2,)


def test_holds_that_make_no_sense_are_refused(databases: Databases) -> None:
    """A hold says what it keeps and why; one that has ended cannot end again."""
    for held, reason in (
        (Held(), "a reason"),
        (Held(created_from=NOON), "a reason"),
        (Held(created_from=NOON, created_to=NOON), "a reason"),
        (Held(client_id="acme"), " "),
        (Held(client_id="acme"), "x" * 501),
    ):
        with pytest.raises(InvalidParameter):
            place_hold(databases, COMMAND_LINE, held, reason)
    hold_id = place_hold(databases, COMMAND_LINE, Held(client_id="acme"), "a reason")
    end_hold(databases, COMMAND_LINE, hold_id)

    with pytest.raises(NotPossible, match="No hold with this id is in force"):
        end_hold(databases, COMMAND_LINE, hold_id)
    assert list_holds(databases) == []
    assert len(list_holds(databases, ended=True)) == 1


def test_no_evidence_is_forgotten_under_a_hold(databases: Databases, settings: Settings) -> None:
    """Receipts, replaced verdicts and the audit stay while any hold is in force, however old they are."""
    place_hold(databases, COMMAND_LINE, Held(client_id="acme"), "a reason")
    later = NOW + timedelta(days=99)

    found = list(forget_old(databases, settings.model_copy(update=KEEPING), COMMAND_LINE, later))

    assert [each.name for each in found if each.hindrance == "a hold is in force"] == [
        "replaced verdicts",
        "receipts",
        "events of the audit",
    ]
    check_chain(databases)


def test_holds_on_the_command_line(connection: psycopg.Connection, run_core: RunCore) -> None:
    """`hold add` prints an id, `list` what is held and why, `end` ends it; `erase` without `--yes` asks nobody."""
    job_id = insert_job(connection)
    added = run_core(
        "hold", "add", "--job", str(job_id), "--from", "2026-04-01", "--to", "2027-04-01", "--reason", "why"
    )
    hold_id = added.stdout.decode().strip()
    listed = run_core("hold", "list")
    refused = run_core("erase", "--job", str(job_id), "--yes")
    unasked = run_core("erase", "--job", str(job_id))
    both = run_core("erase", "--job", str(job_id), "--client", "acme", "--yes")
    ended = run_core("hold", "end", hold_id)
    erased = run_core("erase", "--job", str(job_id), "--yes")
    missing = run_core("erase", "--job", str(job_id), "--yes")
    nobody = run_core("erase", "--client", "nobody", "--yes")

    codes = [each.returncode for each in (added, listed, refused, unasked, both, ended, erased, missing, nobody)]
    assert codes == [0, 0, 1, 2, 2, 0, 0, 1, 1]
    held = f"{hold_id} job {job_id}, from 2026-04-01T00:00:00Z to 2027-04-01T00:00:00Z, since "
    assert listed.stdout.startswith(held.encode())
    assert refused.stderr.startswith(f"Error: The hold {hold_id} keeps this (why)".encode())
    assert missing.stderr.startswith(f"Error: There is nothing to erase for the job {job_id}:".encode())
    # Also where the command was killed once the rows were gone.
    assert nobody.stderr == (
        b"Error: There is nothing to erase for the client nobody: look whether the id is right. What is erased already "
        b"may be left in the files until `python -m core erase --traces`.\n"
    )


def test_elsewhere_it_says_who_must_do_it(
    databases: Databases,
    database_url: str,
    empty_database_url: str,
    connection: psycopg.Connection,
    run_core: RunCore,
) -> None:
    """Of jobs in a source of somebody else's our own copies go, and one sentence says who erases the jobs."""
    job_id = insert_job(connection)
    apart = {"DATABASE_URL": empty_database_url, "SOURCE_DATABASE_URL": database_url}
    settings = Settings(database_url=SecretStr(empty_database_url), source_database_url=SecretStr(database_url))
    migrate(settings)
    opened = open_databases(settings)
    record_review(opened, ADA, [job(opened, job_id)], Review(Verdict.ESCALATE, note=NOTE))
    keep_draft(opened.ours, BEN, job_id, DRAFT)

    done = run_core("erase", "--job", str(job_id), "--yes", **apart)
    opened.close()

    with psycopg.connect(empty_database_url) as ours:
        assert one(ours, "SELECT verdict, note FROM reviews") == [("escalate", "")]
        assert one(ours, "SELECT count(*) FROM review_drafts") == [(0,)]
    assert one(connection, "SELECT job_id FROM jobs") == [(job_id,)]
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == (
        f"Error: Notes and drafts about the job {job_id} are erased here. The jobs themselves live in "
        "SOURCE_DATABASE_URL, which Fencepost never writes: whoever owns that database must delete them there, with "
        "their moderation logs."
    )


def test_nobody_judges_what_is_gone(databases: Databases, connection: psycopg.Connection) -> None:
    """A verdict on a job that was erased while it was on screen is refused, and its note is kept nowhere."""
    on_screen = job(databases, insert_job(connection))
    erase(databases, COMMAND_LINE, Target(job_id=on_screen.job_id))

    with pytest.raises(InvalidParameter, match="This job was erased for good meanwhile"):
        record_review(databases, ADA, [on_screen], Review(Verdict.AGREE, note=NOTE))

    assert one(connection, "SELECT count(*) FROM review_drafts") == [(0,)]


def test_nothing_that_is_written_meanwhile_is_left(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever writes a note while a job is erased: it goes with the job, or is not kept. So is what is typed later."""
    on_screen = job(databases, insert_job(connection))
    with databases.ours.transaction() as writing, ThreadPoolExecutor(1) as others:
        hold_off_erasing(writing)
        erasing = others.submit(erase, databases, COMMAND_LINE, Target(job_id=on_screen.job_id))
        wait_for(lambda: one(connection, WAITING) == [(1,)], "the erasure waits")
        writing.execute(draft_of(ADA, on_screen.job_id, DRAFT))
        writing.commit()
        erasing.result(30)

    keep_draft(databases.ours, BEN, on_screen.job_id, DRAFT)

    assert one(connection, "SELECT count(*) FROM review_drafts") == [(0,)]
