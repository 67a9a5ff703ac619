"""Forgetting by age: what is old goes, once a day or by command; what is young, in use or evidence stays."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core.actor import COMMAND_LINE, DEMO_PERSON, HOUSE
from core.audit import cutting
from core.audit.events import Event, record
from core.audit.verification import check_chain
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import DatabaseUnavailable
from core.export.receipts import Progress, Status, Via, close_receipt, open_receipt
from core.keeping import forgetting
from core.keeping.forgetting import forget_daily, forget_old
from core.keeping.holds import Held, place_hold
from core.review.claims import claim, release_claim
from core.review.drafts import keep_draft
from core.review.verdicts import Review, Verdict, record_review, take_back
from core.settings import Settings
from core.upkeep import upkeep
from tests.core.review.test_verdicts import job
from tests.rules.test_grants import as_role
from tests.support.documents import april
from tests.support.rows import insert_job
from tests.support.waiting import wait_for

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]

NOW = datetime.now(UTC)
KEEPING = {f"fencepost_keep_{name}_days": 30 for name in ("audit", "receipts", "verdicts", "sessions", "drafts")}
ADA, BEN = replace(DEMO_PERSON, name="user:ada"), replace(DEMO_PERSON, name="user:ben")

# Those who wait for a lock in this database.
WAITING = "SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() AND NOT granted"

# Each kind of row: one that is just old enough, and one that is just too young.
OLD, YOUNG = timedelta(days=30, minutes=5), timedelta(days=30, minutes=-5)


class Ahead(datetime):
    """A clock that is ten years ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=3650)


def sign_in(connection: psycopg.Connection, name: str, age: timedelta) -> None:
    connection.execute(
        "INSERT INTO people (person, address) VALUES (%s, 'a@example.com') ON CONFLICT DO NOTHING", [name]
    )
    connection.execute(
        "INSERT INTO sessions (session, person, address, provider, is_verified, authenticated_at, first_seen_at,"
        " is_allowed) VALUES (%s, %s, 'a@example.com', 'default', true, %s, %s, true)",
        [f"{name} {age}", name, NOW - age, NOW - age],
    )


def names(connection: psycopg.Connection, query: str) -> list[str]:
    return sorted(str(name) for (name,) in connection.execute(query.encode()))


def remove(databases: Databases, settings: Settings, now: datetime = NOW, **keeping: int) -> dict[str, int]:
    """Forget what is old; return of what how many rows."""
    chosen = settings.model_copy(update=KEEPING | keeping)
    return {found.name: found.rows for found in forget_old(databases, chosen, HOUSE, now) if found.rows}


def test_old_sign_ins_go(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """A sign-in goes so many days after its hours have ended; its person stays."""
    hours = timedelta(hours=settings.fencepost_session_hours)
    for age in (OLD + hours, YOUNG + hours):
        sign_in(connection, "user:ada", age)

    assert remove(databases, settings) == {"ended sign-ins": 1}
    assert names(connection, "SELECT session FROM sessions") == [f"user:ada {YOUNG + hours}"]
    assert names(connection, "SELECT person FROM people") == ["user:ada"]


def test_old_drafts_and_claims_go(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """A note goes after so many days, an empty one and a claim a day after their end."""
    ids = [uuid4() for _ in range(4)]
    for number, (job_id, note, age) in enumerate(
        zip(ids, ("old", "young", "", ""), (OLD, YOUNG, timedelta(days=2), timedelta()), strict=True)
    ):
        keep_draft(databases.ours, ADA, job_id, note)
        connection.execute("UPDATE review_drafts SET saved_at = %s WHERE job_id = %s", [NOW - age, job_id])
        claim(databases.ours, ADA, job_id)
        if number < 2:
            release_claim(databases.ours, ADA, job_id)
    connection.execute("UPDATE review_claims SET ends_at = ends_at - interval '25 hours' WHERE job_id = %s", [ids[0]])

    assert remove(databases, settings) == {"drafts of notes": 2, "ended claims": 1}
    assert names(connection, "SELECT job_id FROM review_drafts") == sorted(map(str, (ids[1], ids[3])))
    assert str(ids[0]) not in names(connection, "SELECT job_id FROM review_claims")
    assert remove(databases, settings, NOW + timedelta(days=99), fencepost_keep_drafts_days=0) == {
        "drafts of notes": 1,
        "ended claims": 3,
    }


def test_old_receipts_go(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """A receipt goes with what says that it is one of verdicts; one of an export that still runs never does."""
    old, young, running = (uuid4() for _ in range(3))
    for export_id in (old, young, running):
        open_receipt(databases, COMMAND_LINE, export_id, april(), via=Via.CLI)
        connection.execute("INSERT INTO review_exports VALUES (%s)", [export_id])
    for export_id, age in ((old, OLD), (young, YOUNG), (running, OLD)):
        if export_id != running:
            close_receipt(databases, COMMAND_LINE, export_id, Progress(), Status.INTERRUPTED)
        connection.execute("UPDATE exports SET started_at = %s WHERE export_id = %s", [NOW - age, export_id])

    assert remove(databases, settings) == {"receipts": 1}
    assert names(connection, "SELECT export_id FROM exports") == sorted(map(str, (young, running)))
    assert names(connection, "SELECT export_id FROM review_exports") == sorted(map(str, (young, running)))


def test_replaced_verdicts_go(
    databases: Databases, settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts that were replaced go, but for the one that counts again where the last is taken back."""
    monkeypatch.setattr(forgetting, "AT_ONCE", 1)
    one = job(databases, insert_job(connection))
    verdicts = (Verdict.AGREE, Verdict.OVERTURN, Verdict.UNSURE, Verdict.AGREE)
    acts: list[UUID] = [record_review(databases, ADA, [one], Review(verdict)) for verdict in verdicts]
    record_review(databases, BEN, [one], Review(Verdict.AGREE))
    connection.execute("UPDATE reviews SET superseded_at = %s WHERE superseded_at IS NOT NULL", [NOW - OLD])

    removed = remove(databases, settings)
    take_back(databases, ADA, acts[-1])

    assert removed == {"replaced verdicts": 2}
    current = "SELECT person || ' ' || verdict FROM reviews WHERE superseded_at IS NULL"
    assert names(connection, current) == ["user:ada unsure", "user:ben agree"]


def test_old_events_go_by_a_cut(databases: Databases, settings: Settings) -> None:
    """Events go that are older than the days, and the chain stays one; by default they stay for ever."""
    for _ in range(3):
        record(databases, Event.JOBS_LISTED, ADA)
    later = NOW + timedelta(days=31)

    kept = remove(databases, settings, later, fencepost_keep_audit_days=0)
    removed = remove(databases, settings, later)

    assert (kept, removed) == ({}, {"events of the audit": 3})
    assert "one unbroken chain of 1 event" in check_chain(databases)


def test_a_hold_that_is_placed_meanwhile_ends_a_cut(
    databases: Databases, settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are removed some at a time, and no more of them once a hold is in force."""
    monkeypatch.setattr(cutting, "AT_ONCE", 2)
    for _ in range(5):
        record(databases, Event.JOBS_LISTED, ADA)
    connection.execute("""
        CREATE FUNCTION place_hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO holds (hold_id, client_id, reason, placed_by) VALUES (gen_random_uuid(), 'acme', 'a', 'b');
            RETURN NULL;
        END $$;
        CREATE TRIGGER place_hold AFTER DELETE ON audit_events EXECUTE FUNCTION place_hold();
    """)

    chosen = settings.model_copy(update=KEEPING)
    *_, audit = forget_old(databases, chosen, HOUSE, NOW + timedelta(days=31))

    assert (audit.rows, audit.hindrance) == (2, "a hold is in force")
    assert "one unbroken chain of 4 events" in check_chain(databases)


@pytest.mark.parametrize(
    ("evidence", "name"),
    [("audit", "events of the audit"), ("receipts", "receipts"), ("verdicts", "replaced verdicts")],
)
def test_what_is_removed_waits_for_a_hold_that_is_being_placed(
    databases: Databases, settings: Settings, connection: psycopg.Connection, evidence: str, name: str
) -> None:
    """No evidence is removed once a hold is placed, even where that is not committed yet when its turn comes."""
    one, export_id = job(databases, insert_job(connection)), uuid4()
    for verdict in (Verdict.AGREE, Verdict.OVERTURN, Verdict.UNSURE):
        record_review(databases, ADA, [one], Review(verdict))
    open_receipt(databases, COMMAND_LINE, export_id, april(), via=Via.CLI)
    close_receipt(databases, COMMAND_LINE, export_id, Progress(), Status.INTERRUPTED)
    kept = dict.fromkeys(KEEPING, 0) | {f"fencepost_keep_{evidence}_days": 30}

    with ThreadPoolExecutor(2) as threads, psycopg.connect(databases.ours.conninfo) as blocking:
        blocking.execute("LOCK TABLE audit_lock IN EXCLUSIVE MODE")
        placing = threads.submit(place_hold, databases, DEMO_PERSON, Held("acme"), "a letter")
        wait_for(lambda: connection.execute(WAITING).rowcount == 1, "a hold that waits for the audit")
        removing = threads.submit(remove, databases, settings, NOW + timedelta(days=31), **kept)
        wait_for(lambda: connection.execute(WAITING).rowcount == 2 or removing.done(), "what is old")
        blocking.commit()
        placing.result()

    assert name not in removing.result()


def test_two_who_remove_events_at_once_remove_each_once(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """The second one finds what the first one has left, and refuses nothing."""
    for _ in range(3):
        record(databases, Event.JOBS_LISTED, ADA)
    now = datetime.now(UTC) + timedelta(days=30)

    with ThreadPoolExecutor(2) as threads, psycopg.connect(databases.ours.conninfo) as blocking:
        blocking.execute("LOCK TABLE audit_lock IN EXCLUSIVE MODE")
        removing = [threads.submit(remove, databases, settings, now) for _ in range(2)]
        wait_for(lambda: connection.execute(WAITING).rowcount == 2, "two who remove events")
        blocking.commit()

    assert sorted(each.result().get("events of the audit", 0) for each in removing) == [0, 3]
    assert "one unbroken chain of 1 event" in check_chain(databases)


def test_the_command_says_what_it_removes(
    database_url: str, databases: Databases, connection: psycopg.Connection, run_core: RunCore
) -> None:
    """A dry run says how many rows it would be and removes none; the command then removes so many."""
    sign_in(connection, "user:ada", timedelta(days=400))
    keep_draft(databases.ours, ADA, uuid4(), "a note")

    begun = datetime.now(UTC)
    dry, done, again = (
        run_core("upkeep", *options, FENCEPOST_KEEP_RECEIPTS_DAYS="9") for options in (["--dry-run"], [], [])
    )

    # The three may run on either side of midnight, or of noon, where days are counted from half a day before.
    said = [_say_what_goes(begun), _say_what_goes(datetime.now(UTC))]
    removed = [each.replace(" would be removed", " removed") for each in said]
    assert dry.stdout.decode() in said
    assert done.stdout.decode() in removed
    assert again.stdout.decode() in [each.replace(": 1 removed", ": 0 removed") for each in removed]
    assert [each.returncode for each in (dry, done, again)] == [0, 0, 0]


def _say_what_goes(now: datetime) -> str:
    """Return what a dry run at this time says of one sign-in that is old."""
    day, hours = (f"{now - timedelta(days=90, hours=hours):%Y-%m-%d}" for hours in (0, 12))
    return (
        f"Ended sign-ins from before {hours}: 1 would be removed.\n"
        f"Drafts of notes from before {day}: 0 would be removed.\n"
        f"Ended claims from before {now - timedelta(days=1):%Y-%m-%d}: 0 would be removed.\n"
        "Replaced verdicts are kept for ever.\n"
        f"Receipts from before {now - timedelta(days=9):%Y-%m-%d}: 0 would be removed.\n"
        "Events of the audit are kept for ever.\n"
    )


def test_a_server_forgets_once_a_day(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """Of several processes one begins, and none does again within a day."""
    sign_in(connection, "user:ada", timedelta(days=400))

    first, second = forget_daily(databases, settings), forget_daily(databases, settings)
    sign_in(connection, "user:ada", timedelta(days=400))
    third = forget_daily(databases, settings)
    connection.execute("UPDATE upkeep_tasks SET begun_at = now() - interval '25 hours'")
    fourth = forget_daily(databases, settings)

    assert [[found.rows for found in each if found.rows] for each in (first, second, third, fourth)] == [
        [1],
        [],
        [],
        [1],
    ]
    assert (second, third) == ([], [])


def test_what_fails_is_due_again_in_an_hour_and_keeps_nothing_else(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Where somebody locks a table for longer than is waited for, the other kinds go at once."""
    sign_in(connection, "user:ada", timedelta(days=400))
    connection.execute(
        "INSERT INTO review_drafts VALUES ('user:ada', gen_random_uuid(), '', now() - interval '1 year')"
    )
    with psycopg.connect(connection.info.dsn, password=connection.info.password) as holding:
        holding.execute("LOCK TABLE sessions")
        with pytest.raises(DatabaseUnavailable, match="Another session is holding a lock"):
            forget_daily(databases, settings)
    left = [names(connection, f"SELECT person FROM {table}") for table in ("sessions", "review_drafts")]

    soon = forget_daily(databases, settings)
    connection.execute("UPDATE upkeep_tasks SET begun_at = begun_at - interval '61 minutes'")
    later, again = forget_daily(databases, settings), forget_daily(databases, settings)

    assert left == [["user:ada"], []]
    assert [[found.rows for found in each if found.rows] for each in (soon, later, again)] == [[], [1], []]


def test_a_server_that_runs_once_a_week_forgets(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """It runs for less than a day, and so cannot wait for one."""
    sign_in(connection, "user:ada", timedelta(days=400))
    connection.execute("UPDATE upkeep_tasks SET begun_at = now() - interval '8 days'")

    assert [found.rows for found in forget_daily(databases, settings) if found.rows] == [1]


def test_a_clock_that_was_wrong_does_not_keep_what_is_old(databases: Databases, settings: Settings) -> None:
    """Where a server has begun at a time that is still to come, the next one begins all the same, once."""
    with databases.ours.transaction() as transaction:
        transaction.execute(text("UPDATE upkeep_tasks SET begun_at = now() + interval '10 years'"))

    begun = [forget_daily(databases, settings) != [] for _ in range(2)]

    assert begun == [True, False]


def test_a_clock_that_runs_ahead_has_a_day_to_be_corrected(
    databases: Databases, settings: Settings, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """To it all that there is would be old: after years without removing anything a server waits for a day."""
    sign_in(connection, "user:ada", timedelta(days=3650))
    connection.execute("UPDATE upkeep_tasks SET begun_at = now() - interval '10 years'")

    ahead, again = forget_daily(databases, settings), forget_daily(databases, settings)
    kept = names(connection, "SELECT person FROM sessions")
    connection.execute("UPDATE upkeep_tasks SET begun_at = now() - interval '25 hours'")
    next_day = forget_daily(databases, settings)

    assert (ahead, again, kept) == ([], [], ["user:ada"])
    assert [message.split(":")[0] for message in caplog.messages] == ["nothing is removed for its age before tomorrow"]
    assert [found.rows for found in next_day if found.rows] == [1]


def test_the_clock_of_the_database_decides(
    databases: Databases, settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose own clock runs ahead removes nothing that is young."""
    sign_in(connection, "user:ada", timedelta(days=1))
    monkeypatch.setattr(forgetting, "datetime", Ahead)

    removed = [found.rows for found in forget_daily(databases, settings) if found.rows]

    assert (removed, names(connection, "SELECT person FROM sessions")) == ([], ["user:ada"])


def test_what_cannot_be_done_keeps_nothing_else_from_being_done(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """A server that cannot keep facts says so, and forgets what is old."""
    sign_in(connection, "user:ada", timedelta(days=400))
    connection.execute("DROP FUNCTION job_counts_add_up")

    with upkeep(databases, settings):
        wait_for(lambda: names(connection, "SELECT person FROM sessions") == [], "old sign-ins to go")


def test_a_role_that_may_not_remove_says_so(
    database_url: str, databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """The application's role leaves evidence to the owner, with a sentence, and forgets the rest."""
    sign_in(connection, "user:ada", timedelta(days=400))
    connection.execute("CREATE ROLE fencepost_lesser")
    try:
        connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO fencepost_lesser")
        connection.execute("GRANT DELETE ON sessions, review_drafts, review_claims TO fencepost_lesser")
        url = SecretStr(as_role(database_url, "fencepost_lesser"))
        lesser = open_databases(settings.model_copy(update={"database_url": url}))
        found = list(forget_old(lesser, settings.model_copy(update=KEEPING), HOUSE, NOW))
        lesser.close()
    finally:
        connection.execute("DROP OWNED BY fencepost_lesser; DROP ROLE fencepost_lesser")

    why = "only the owner of the tables may remove them: run this as the owner"
    assert [(each.name, each.rows, each.hindrance) for each in found] == [
        ("ended sign-ins", 1, None),
        ("drafts of notes", 0, None),
        ("ended claims", 0, None),
        ("replaced verdicts", 0, why),
        ("receipts", 0, why),
        ("events of the audit", 0, why),
    ]
    assert str(found[-1]) == f"Old events of the audit stay: {why}."
