"""The command line: what it prints, what it leaves behind, and its exit codes."""

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.auth.api_keys import find_key, parse_key
from core.db.databases import Databases
from core.export.receipts import find_receipt
from tests.conftest import ROOT
from tests.support.documents import APRIL, HEADER, april, export_document
from tests.support.rows import NOON, insert_job, insert_large_jobs, insert_log
from tests.support.waiting import wait_for

RunCore = Callable[..., CompletedProcess[bytes]]

SYNC = ("sync", "--client", "acme")
EXPORT = ("export", "--from", APRIL["from"], "--to", APRIL["to"])

# From some row on the source gives an error, after a block was written; or nothing, for an hour.
BROKEN_JOBS = """
    ALTER TABLE jobs RENAME TO stored_jobs;
    CREATE VIEW jobs AS SELECT job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt,
        (1 / (CASE WHEN created_at > '2026-04-15T12:01:00Z' THEN 0 ELSE 1 END))::text AS reason FROM stored_jobs
"""
SLOW_JOBS = """
    ALTER TABLE jobs RENAME TO stored_jobs;
    CREATE VIEW jobs AS SELECT stored_jobs.* FROM stored_jobs, LATERAL (
        SELECT pg_sleep(CASE WHEN created_at > '2026-04-15T12:01:00Z' THEN 3600 ELSE 0 END)
        WHERE stored_jobs.job_id IS NOT NULL OFFSET 0
    ) AS slept
"""


def refusal(done: CompletedProcess[bytes], code: int) -> str:
    """Return the one line in which a command says why it could not; it has printed nothing else."""
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (code, b"", 1), done.stderr.decode()
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def statuses(connection: psycopg.Connection) -> list[str]:
    return [status for (status,) in connection.execute("SELECT status FROM exports ORDER BY started_at").fetchall()]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name a command. See `python -m core --help`."),
        (["keys"], "Name a command. See `python -m core keys --help`."),
        (["keys", "revoke", "\udcff"], "A value on the command line is not UTF-8: correct it."),
        (["dance"], "No such command 'dance'. See `python -m core --help`."),
        (["export"], "from is missing: give it as a time like 2026-04-01T00:00:00Z."),
        ([*EXPORT, "--status", "done"], 'status does not know "done": it takes queued, processing, completed, failed.'),
        ([*EXPORT, "--q", ""], "q is empty: give it a value or leave it out."),
        (
            [*EXPORT, "--type", "a", "--type", "a"],
            "type is given more than once: give it once, with commas between values.",
        ),
        ([*EXPORT, "--spreadsheet_safe", "true"], None),
        ([*EXPORT, "--colour", "red"], "No such option '--colour'. See `python -m core export --help`."),
        (
            [*EXPORT, "-o", "."],
            "Invalid value for '-o' / '--output': File '.' is a directory. See `python -m core export --help`.",
        ),
        (
            ["check", "it"],
            "Got unexpected extra argument (it). See `python -m core check --help`.",
        ),
        (["seed"], "Missing option '--jobs'. See `python -m core seed --help`."),
        (
            ["seed", "--jobs", "0"],
            "Invalid value for '--jobs': 0 is not in the range x>=1. See `python -m core seed --help`.",
        ),
        (["seed", "--jobs", "1", "--until", "soon"], None),
        (["seed", "--jobs", "1", "--until", "0001-01-02"], "until is too far away: choose a day like 2026-05-01."),
        (
            ["keys", "create", "--name", "x", "--scope", "job:read"],
            "Give either --client ID or --all-clients. See `python -m core keys create --help`.",
        ),
        (
            ["keys", "create", "--name", "x", "--scope", "job:read", "--client", "a", "--all-clients"],
            "Give either --client ID or --all-clients. See `python -m core keys create --help`.",
        ),
        (["keys", "create", "--name", "x", "--scope", "job:write", "--all-clients"], None),
        (["keys", "create", "--name", "x", "--all-clients"], None),
        (
            ["keys", "create", "--name", "", "--scope", "job:read", "--all-clients"],
            "name is empty: say what the key is for.",
        ),
        (
            ["keys", "create", "--name", "x", "--scope", "job:read", "--client", ""],
            "client is empty: name the client whose jobs the key sees.",
        ),
        (
            ["keys", "create", "--name", "x", "--scope", "job:read", "--all-clients", "--expires", "2020-01-01"],
            "expires is in the past: choose a time to come.",
        ),
        (
            [*SYNC, "--url", "http://api.example.com", "--since", "2026-01-01"],
            "url must begin with https:// for another machine: http:// would show everybody the key.",
        ),
        ([*SYNC, "--url", "https://api.example.com", "--since", "soon"], None),
        (
            ["import", "--client", "demo-a", "README.md"],
            "client cannot be empty or begin with demo-: choose another one.",
        ),
        (
            ["import", "--client", "a\u202eb", "README.md"],
            "client contains a character that cannot be shown: remove it.",
        ),
        (
            [*SYNC, "--url", "https://api.example.com", "--since", "2026-01-01", "--every", "0m"],
            "timeout and every must be longer than nothing.",
        ),
        (
            [*SYNC, "--url", "https://api.example.com", "--since", "2026-01-01", "--overlap", "-1h"],
            "overlap is not a time like 0h, 24h or 7d.",
        ),
        (
            [*SYNC, "--url", "https://api.example.com", "--since", "2026-01-01", "--remote-client", ""],
            "remote-client is empty: name the client there, or leave it out.",
        ),
        (
            ["verify", "x.csv", "--export-id", "7"],
            "Invalid value for '--export-id': '7' is not a valid UUID. See `python -m core verify --help`.",
        ),
    ],
)
def test_wrong_usage_exits_with_2(
    run_core: RunCore, connection: psycopg.Connection, arguments: list[str], message: str | None
) -> None:
    """A wrong option or parameter is one line on standard error and exit code 2, and nothing is done."""
    said = refusal(run_core(*arguments), 2)

    assert said == (message or said)
    assert connection.execute("SELECT (SELECT count(*) FROM exports), (SELECT count(*) FROM api_keys)").fetchone() == (
        *(0, 0),
    )


def test_what_cannot_be_done_exits_with_1(run_core: RunCore, connection: psycopg.Connection, tmp_path: Path) -> None:
    """What was asked for rightly and cannot be done is one line on standard error and exit code 1."""
    insert_job(connection)
    nowhere = {"DATABASE_URL": "postgresql://fencepost:hunter2@127.0.0.1:1/jobs"}

    assert refusal(run_core("verify", "missing.csv"), 1) == "missing.csv cannot be read: No such file or directory."
    assert refusal(run_core("keys", "revoke", "x"), 1) == (
        "There is no key with this id: see `python -m core keys list`."
    )
    assert refusal(run_core("seed", "--jobs", "1"), 1) == (
        "There are jobs that are no demo jobs: seed only an empty database."
    )
    assert refusal(run_core("keys", "list", **nowhere), 1) == (
        "Cannot reach the database jobs at 127.0.0.1:1: start PostgreSQL or correct DATABASE_URL."
    )
    assert refusal(run_core("migrate", DATABASE_URL="mysql://hunter2"), 1) == (
        "DATABASE_URL is not an address of PostgreSQL: write it as postgresql://user:password@host:5432/database."
    )
    assert refusal(run_core("keys", "list", FENCEPOST_EXPORTS_TOTAL="none"), 1) == (
        "FENCEPOST_EXPORTS_TOTAL is not valid: Input should be a valid integer, unable to parse string as an integer."
        " Correct or unset it."
    )
    assert refusal(run_core(*EXPORT, "-o", str(tmp_path / "missing" / "x.csv")), 1) == (
        f"{tmp_path}/missing/x.csv cannot be written: No such file or directory. Nothing was left behind."
    )


def test_an_import_from_a_closed_standard_input_is_one_line(run_core: RunCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that has closed standard input leaves Python without one."""
    monkeypatch.setattr(sys, "stdin", None)

    done = run_core("import", "--client", "acme", "-")

    assert refusal(done, 1) == "Standard input is closed: send a file there, or name one."


def test_help_lists_all_commands(run_core: RunCore) -> None:
    """`--help` exits with 0 and names every command."""
    done = run_core("--help")

    listed = re.findall(r"^  (\w+) ", done.stdout.decode().split("Commands:")[1], re.MULTILINE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {"export", "import", "keys", "migrate", "seed", "sync", "verify"} <= set(listed)


def test_migrate_makes_the_tables(run_core: RunCore, empty_database_url: str) -> None:
    """A command on a database without tables names `migrate`, and after it all is well."""
    empty = {"DATABASE_URL": empty_database_url}

    before = run_core("keys", "list", **empty)
    migrated = run_core("migrate", **empty)
    after = run_core("keys", "list", **empty)

    assert refusal(before, 1) == "The tables in DATABASE_URL are missing or old: run `python -m core migrate`."
    assert (migrated.returncode, migrated.stdout, migrated.stderr) == (0, b"", b"")
    assert (after.returncode, after.stdout) == (
        0,
        b"KEY ID  NAME  CLIENT  SCOPES  STATE  CREATED  CREATED BY  LAST USED  EXPIRES  REVOKED\n",
    )


def test_seed_makes_demo_jobs(run_core: RunCore, connection: psycopg.Connection) -> None:
    """`seed` fills an empty database, and says for which days."""
    done = run_core("seed", "--jobs", "1500", "--seed", "3", "--until", "2026-05-01")

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"1,500 demo jobs from 2026-01-01 to 2026-05-01.\n"
    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1500,)


def test_keys_are_made_listed_and_revoked(run_core: RunCore, databases: Databases) -> None:
    """`keys create` prints the new key and nothing else; `keys list` never shows it; `keys revoke` ends it."""
    ours = ("keys", "create", "--name", "nightly", "--client", "acme", "--scope", "job:read")
    staff = ("keys", "create", "--name", "staff", "--all-clients", "--scope", "job:read", "--scope", "admin:config")

    first = run_core(*ours, "--expires", "2999-01-01")
    second = run_core(*staff, "--expires", "2999-01-01T02:00:00+02:00")
    key = first.stdout.decode().removesuffix("\n")
    presented = parse_key(key)
    assert presented is not None
    valid = find_key(databases.ours, presented)
    revoked = run_core("keys", "revoke", presented.key_id)
    listed = run_core("keys", "list").stdout.decode()

    assert re.fullmatch(r"fp_\w{12}_\w{43}_\w{6}\n", first.stdout.decode(), re.ASCII)
    assert (first.returncode, first.stderr, second.stderr) == (0, b"", b"")
    assert valid is not None
    assert (revoked.returncode, revoked.stdout, revoked.stderr) == (0, b"", b"")
    assert find_key(databases.ours, presented) is None
    assert key.split("_")[2] not in listed
    now = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        r"KEY ID +NAME +CLIENT +SCOPES +STATE +CREATED +CREATED BY  LAST USED +EXPIRES +REVOKED\n"
        rf"{presented.key_id}  nightly  acme +job:read +revoked  {now}  cli +2999-01-01T00:00:00Z  {now}\n"
        rf"\w{{12}}  staff +\(all clients\)  admin:config,job:read  valid +{now}  cli +2999-01-01T00:00:00Z\n",
        listed,
        re.ASCII,
    )


def test_a_key_is_rotated(run_core: RunCore, databases: Databases, connection: psycopg.Connection) -> None:
    """`keys rotate` prints the new key and nothing else; the old one opens until the overlap is over."""
    old = run_core("keys", "create", "--name", "nightly", "--client", "acme", "--scope", "job:read").stdout.decode()
    presented = parse_key(old.strip())
    assert presented is not None

    rotated = run_core("keys", "rotate", presented.key_id, "--overlap", "7d")
    again = run_core("keys", "rotate", presented.key_id)
    now = run_core("keys", "rotate", rotated.stdout.decode().split("_")[1], "--overlap", "0h")
    listed = run_core("keys", "list").stdout.decode()

    assert re.fullmatch(r"fp_\w{12}_\w{43}_\w{6}\n", rotated.stdout.decode(), re.ASCII)
    assert (rotated.returncode, rotated.stderr, now.returncode, now.stderr) == (0, b"", 0, b"")
    assert refusal(again, 1) == "Another key has replaced this one already: rotate that one, or create a new one."
    assert [line.split()[4] for line in listed.splitlines()[1:]] == ["rotating", "expired", "valid"]
    left = "SELECT expires_at - now() BETWEEN '6 days' AND '7 days' FROM api_keys WHERE key_id = %s"
    assert connection.execute(left, [presented.key_id]).fetchone() == (True,)


@pytest.mark.parametrize("overlap", ["24", "-1h", "99999h"])
def test_an_overlap_that_is_none_is_refused(run_core: RunCore, overlap: str) -> None:
    """An overlap is a number of hours or days, and is refused before anything is asked."""
    assert refusal(run_core("keys", "rotate", "x", f"--overlap={overlap}"), 2) == (
        "overlap is not a time like 0h, 24h or 7d."
    )


def test_an_export_to_standard_output_is_the_document(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection
) -> None:
    """Standard output holds the bytes of the endpoint and nothing else; the summary goes to standard error."""
    insert_job(connection, prompt="É\r\n")

    done = run_core(*EXPORT)

    row = connection.execute("SELECT export_id FROM exports").fetchone()
    assert row is not None
    receipt = find_receipt(databases, row[0])
    assert receipt is not None
    assert done.returncode == 0
    assert done.stdout == export_document(databases, april())
    assert done.stderr.decode() == f"1 records, {len(done.stdout)} bytes, export {row[0]}.\n"
    assert [receipt[name] for name in ("requested_by", "via", "status", "client_id")] == [
        "cli",
        "cli",
        "complete",
        None,
    ]


def test_every_parameter_is_an_option_with_hyphens(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection
) -> None:
    """The parameters of the API are the options of the command, underscores written as hyphens."""
    job_id = insert_job(connection, client_id="acme", prompt="=a fox", is_prohibited=True)
    insert_log(connection, job_id, category_ai_adult_general=None, category_nsfw=True)
    params = {
        "type": "image,prompt",
        "status": "completed",
        "decision": "reject",
        "category": "nsfw",
        "category_ai_adult_general": "empty",
        "category_underage": "false",
        "category_nsfw": "true",
        "evaluated": "true",
        "q": "FOX",
        "job_id": str(job_id)[:9],
        "client_id": "acme",
        "spreadsheet_safe": "true",
    }
    options = [part for name, value in params.items() for part in (f"--{name.replace('_', '-')}", value)]

    done = run_core(*EXPORT, *options)

    receipt = connection.execute("SELECT filter, client_id, rows FROM exports").fetchone()
    assert done.stdout == HEADER + (
        f"{job_id},prompt,completed,true,2026-04-15T12:00:00.000000Z,,'=a fox,,,false,true\n".encode()
    )
    assert receipt == (APRIL | params, "acme", 1)


def test_an_export_to_a_file_is_complete_and_private(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """`-o` leaves one file, readable by its owner only; it replaces an older one, and a link stays a link."""
    insert_job(connection)
    (tmp_path / "old.csv").write_text("older\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "old.csv")

    new = run_core(*EXPORT, "-o", str(tmp_path / "new.csv"))
    linked = run_core(*EXPORT, "-o", str(tmp_path / "link.csv"))

    document = export_document(databases, april())
    assert (new.returncode, new.stdout, linked.returncode) == (0, b"", 0)
    assert names(tmp_path) == ["link.csv", "new.csv", "old.csv"]
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [document] * 3
    assert (tmp_path / "link.csv").is_symlink()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new.csv", "old.csv")] == [0o600] * 2


def test_an_export_to_a_pipe_leaves_it_a_pipe(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """`-o` writes into a pipe or a device as it is, and replaces neither by a file."""
    insert_job(connection)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()

    done = run_core(*EXPORT, "-o", str(pipe))
    reader.join()

    assert done.returncode == 0
    assert received == [export_document(databases, april())]
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


def test_a_failed_export_leaves_no_file(run_core: RunCore, connection: psycopg.Connection, tmp_path: Path) -> None:
    """Where the source fails in the middle, no file is left, and an older one stays as it was."""
    insert_large_jobs(connection, 500, size=4000)
    connection.execute(BROKEN_JOBS)
    (tmp_path / "old.csv").write_text("older\n")

    new = run_core(*EXPORT, "-o", str(tmp_path / "new.csv"))
    old = run_core(*EXPORT, "-o", str(tmp_path / "old.csv"))

    for done in (new, old):
        assert refusal(done, 1) == "The database refused a statement (SQLSTATE 22012): this is a fault of Fencepost."
    assert names(tmp_path) == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "older\n"
    assert statuses(connection) == ["failed", "failed"]


def begin_export(database_url: str, *arguments: str, ignoring_interrupts: bool = False) -> subprocess.Popen[bytes]:
    """Start an export. A shell starts what runs in the background with interrupts ignored, perhaps these tests, too."""
    action = signal.SIG_IGN if ignoring_interrupts else signal.SIG_DFL
    return subprocess.Popen(
        [sys.executable, "-m", "core", *EXPORT, *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, action),
    )


@pytest.mark.parametrize(
    ("number", "in_background"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, False)]
)
def test_a_stopped_export_leaves_no_file(
    database_url: str, connection: psycopg.Connection, tmp_path: Path, number: signal.Signals, in_background: bool
) -> None:
    """Whoever stops an export finds no file, an older one as it was, and a receipt that says `interrupted`."""
    insert_large_jobs(connection, 500, size=10_000)
    connection.execute(SLOW_JOBS)
    file = tmp_path / "jobs.csv"
    file.write_text("older\n")

    process = begin_export(database_url, "-o", str(file), ignoring_interrupts=in_background)
    wait_for(
        lambda: len(names(tmp_path)) == 2 and any(path.stat().st_size > 100_000 for path in tmp_path.iterdir()),
        "a block",
    )
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (1, b"", b"Error: Stopped.\n")
    assert names(tmp_path) == ["jobs.csv"]
    assert file.read_text() == "older\n"
    assert statuses(connection) == ["interrupted"]
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    wait_for(lambda: connection.execute(sleeping).fetchone() == (0,), "the end of the statement")


def test_an_export_whose_reader_goes_away_is_interrupted(database_url: str, connection: psycopg.Connection) -> None:
    """`… | head` ends the export with one line on standard error, and its receipt says `interrupted`."""
    insert_large_jobs(connection, 500, size=10_000)

    process = begin_export(database_url)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.read(len(HEADER))
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)

    assert first == HEADER
    assert (process.returncode, errors) == (1, b"Error: Whoever read standard output went away.\n")
    assert statuses(connection) == ["interrupted"]


@pytest.mark.parametrize(
    "arguments", [EXPORT, ("keys", "create", "--name", "x", "--all-clients", "--scope", "job:read")]
)
def test_a_full_disk_is_one_line_too(database_url: str, arguments: tuple[str, ...]) -> None:
    """Where standard output takes nothing more, the command says so and exits with 1."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "core", *arguments],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": database_url},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (
        1,
        b"Error: Standard output cannot be used: No space left on device.\n",
    )


def test_on_a_terminal_an_export_shows_its_progress(
    database_url: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """On a terminal there is a progress bar that ends at 100 %, and confidential text is not poured onto the screen."""
    insert_large_jobs(connection, 500, size=4000)

    onto_screen = run_on_terminal(database_url, *EXPORT)
    to_file = run_on_terminal(database_url, *EXPORT, "-o", str(tmp_path / "jobs.csv"))

    assert onto_screen == (
        2,
        "Error: Give a file with -o FILE, or redirect standard output. See `python -m core export --help`.\r\n",
    )
    assert to_file[0] == 0
    assert re.search(
        r"Export .*100%.*\r\n500 records, [\d,]+ bytes, export [-0-9a-f]{36}\.\r\n$", to_file[1], re.DOTALL
    )


def run_on_terminal(database_url: str, *arguments: str) -> tuple[int, str]:
    """Run a command with a terminal for output and errors; return its exit code and what the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # Linux ends a terminal that nobody holds any more with an error.
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


def test_verify_prints_the_receipt(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """`verify` exits with 0 and the receipt as JSON for a complete export, else with 1 and what is wrong."""
    insert_job(connection, created_at=NOON)
    file = tmp_path / "jobs.csv"
    run_core(*EXPORT, "-o", str(file))
    row = connection.execute("SELECT export_id FROM exports").fetchone()
    assert row is not None
    export_id: UUID = row[0]

    known = run_core("verify", str(file))
    asked_for = run_core("verify", str(file), "--export-id", str(export_id))
    file.write_bytes(file.read_bytes()[:-1])
    cut = run_core("verify", str(file))

    receipt: Any = json.loads(known.stdout)
    assert (known.returncode, known.stderr) == (0, b"")
    assert receipt == find_receipt(databases, export_id)
    assert (asked_for.returncode, asked_for.stdout) == (0, known.stdout)
    assert refusal(cut, 1) == (
        f"{file} is not a complete export: Its last record is not closed: the file was cut. "
        f"It holds 0 closed records in {file.stat().st_size} bytes. No complete export has these bytes."
    )
