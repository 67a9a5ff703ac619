"""What all commands share: errors of one line, and exit codes."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT
from tests.support.commands import RunCore, refusal, run_process
from tests.support.documents import APRIL
from tests.support.rows import insert_job
from tests.support.waiting import PATIENCE, wait_for

# A statement that goes on where it is cancelled, as one does whose server is busy with its disk.
STUBBORN = """
CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(60);
    RETURN NEW;
EXCEPTION WHEN query_canceled THEN
    PERFORM set_config('application_name', 'goes on', false), pg_sleep(60);
    RETURN NEW;
END $$;
CREATE TRIGGER go_on BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION go_on()
"""

SYNC = ("sync", "--client", "acme")
CREATE_KEY = ("keys", "create", "--name", "x", "--all-clients", "--scope", "job:read")
EXPORT = ("export", "--from", APRIL["from"], "--to", APRIL["to"])


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
        *(
            (
                [*command, option, ""],
                f"Invalid value for {named}: the name is empty: give the name of a file."
                f" See `python -m core {' '.join(help_of)} --help`.",
            )
            for command, option, named, help_of in (
                (EXPORT, "-o", "'-o' / '--output'", ["export"]),
                (("reviews", *EXPORT), "-o", "'-o' / '--output'", ["reviews", "export"]),
                (("sample", "file", "x"), "-o", "'-o' / '--output'", ["sample", "file"]),
                (("import", "--client", "acme"), "--skip-bad", "'--skip-bad'", ["import"]),
                (("import", "--client", "acme"), "--", "'FILE...'", ["import"]),
                (("verify",), "--", "'FILE'", ["verify"]),
            )
        ),
        *(
            (
                [*command, *options],
                f"Option {named} is given more than once: give it once. See `python -m core {help_of} --help`.",
            )
            for command, options, named, help_of in (
                (CREATE_KEY, ("--name", "y"), "'--name'", "keys create"),
                (EXPORT, ("-o", "a", "--output", "b"), "'-o' / '--output'", "export"),
                (("hold", "add", "--client", "a"), ("--client=b",), "'--client'", "hold add"),
                (("import", "--client", "a"), ("x.csv", "--client", "a"), "'--client'", "import"),
            )
        ),
        (["export", "--client-id"], "Option '--client-id' requires an argument. See `python -m core export --help`."),
        (
            ["keys", "create", "--name"],
            "Option '--name' requires an argument. See `python -m core keys create --help`.",
        ),
        (
            ["check", "it"],
            "Got unexpected extra argument (it). See `python -m core check --help`.",
        ),
        (
            ["import", "--client", "acme", "--skip-bad", "-", "README.md"],
            "skip-bad is a new file, and not standard output: name one.",
        ),
        (
            ["hold", "add", "--client", " ", "--reason", "asked for"],
            "client is empty: name the client whose jobs are held.",
        ),
        (["erase", "--client", "", "--yes"], "client is empty: name the client whose jobs are erased."),
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
        ([*CREATE_KEY, "--network", "192.0.2.0/24", "--network", " "], "network is empty: name one, or leave it out."),
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


def test_help_lists_all_commands(run_core: RunCore) -> None:
    """`--help` exits with 0 and names every command."""
    done = run_core("--help")

    listed = re.findall(r"^  (\w+) ", done.stdout.decode().split("Commands:")[1], re.MULTILINE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {"export", "import", "keys", "migrate", "seed", "sync", "verify"} <= set(listed)


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


def test_the_process_ends_with_the_code_of_its_command(database_url: str) -> None:
    """The exit code is that of the process, which says nothing more when it ends.

    Of 0 and 1 this is held below: where a command was told of a full disk, or was interrupted.
    """
    done = run_process(database_url, "dance")

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, b"", 1)


def test_a_command_starts_with_what_it_needs() -> None:
    """An export waits neither for the import of what migrates or syncs, nor for that of pages."""
    listing = "import sys, core.__main__ as core; core.main.get_command(None, 'export'); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert "core.export.export" in loaded
    assert not loaded & {"alembic", "httpx", "pandas", "starlette", "streamlit"}


def is_asleep(connection: psycopg.Connection, application: str) -> bool:
    """Tell whether a session of this database that calls itself so waits in `pg_sleep`."""
    sleeping = """
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'PgSleep' AND application_name = %s
    """
    return connection.execute(sleeping, [application]).fetchone() is not None


@pytest.mark.parametrize(("table", "arguments"), [("api_keys", CREATE_KEY), ("jobs", ("seed", "--jobs", "5"))])
def test_whoever_interrupts_twice_is_told_of_nothing_else(
    database_url: str, connection: psycopg.Connection, table: str, arguments: tuple[str, ...]
) -> None:
    """Where a statement cannot be cancelled and its connection is given up, the one line is that of any interrupt."""
    connection.execute(STUBBORN.replace("{table}", table))
    process = subprocess.Popen(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )

    wait_for(partial(is_asleep, connection, "fencepost"), "the statement")
    process.send_signal(signal.SIGINT)
    wait_for(partial(is_asleep, connection, "goes on"), "what follows its cancellation")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    connection.execute(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE application_name = 'goes on'"
    )

    assert (process.returncode, output, errors) == (1, b"", b"Error: Stopped.\n")


def run_full(database_url: str, *arguments: str, stream: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of which one stream is sent to a full disk."""
    with Path("/dev/full").open("wb") as full:
        return subprocess.run(
            [sys.executable, "-m", "core", *arguments],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": database_url},
            stdout=full if stream == "stdout" else subprocess.PIPE,
            stderr=full if stream == "stderr" else subprocess.PIPE,
            check=False,
            timeout=4 * PATIENCE,
        )


@pytest.mark.parametrize(
    ("arguments", "table"),
    [
        (("hold", "add", "--client", "acme", "--reason", "a letter"), "holds"),
        (("sample", "draw", "--name", "a", "--size", "1", *EXPORT[1:]), "samples"),
    ],
)
def test_nothing_is_made_whose_id_could_not_be_printed(
    database_url: str, connection: psycopg.Connection, arguments: tuple[str, ...], table: str
) -> None:
    """Where a command could not give what it makes to anybody, it could not make it."""
    insert_job(connection, is_prohibited=True)

    done = run_full(database_url, *arguments, stream="stdout")

    assert (done.returncode, done.stderr) == (1, b"Error: Standard output cannot be used: No space left on device.\n")
    assert connection.execute(f"SELECT FROM {table}".encode()).fetchall() == []


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_done_is_done_to_its_end_where_nobody_can_be_told(
    database_url: str, connection: psycopg.Connection, stream: str
) -> None:
    """An erasure whose report meets a full disk ends as any other, and tells it on the stream that is left."""
    job_id = insert_job(connection)

    done = run_full(database_url, "erase", "--job", str(job_id), "--yes", stream=stream)

    left = done.stdout if stream == "stderr" else done.stderr
    assert done.returncode == 0
    assert left.decode().startswith(f"Erased 1 job, 0 logs, 0 notes and 0 drafts of the job {job_id}.\n")
    assert (b"free space of pages" in left) == (stream == "stdout")


def test_usage_is_wrong_also_where_nobody_can_be_told(database_url: str) -> None:
    """The exit code is that of the command, whatever becomes of its sentence."""
    assert run_full(database_url, "dance", stream="stderr").returncode == 2
