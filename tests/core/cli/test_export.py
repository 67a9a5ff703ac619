"""The commands that export, and verify what was exported."""

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.db.databases import Databases
from core.export.receipts import find_receipt
from tests.conftest import ROOT
from tests.support.commands import RunCore, refusal
from tests.support.documents import APRIL, HEADER, april, export_document
from tests.support.rows import NOON, insert_job, insert_large_jobs, insert_log
from tests.support.waiting import wait_for

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


def statuses(connection: psycopg.Connection) -> list[str]:
    return [status for (status,) in connection.execute("SELECT status FROM exports ORDER BY started_at").fetchall()]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("options", [(), ("-o", "-")], ids=["nothing said", "a dash"])
def test_an_export_to_standard_output_is_the_document(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection, options: tuple[str, ...]
) -> None:
    """Standard output holds the bytes of the endpoint and nothing else; the summary goes to standard error."""
    insert_job(connection, prompt="É\r\n")

    done = run_core(*EXPORT, *options)

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


def sizes_of_open_files(pid: int, folder: Path) -> list[int]:
    """Return the sizes of the files in a folder that a process has open; they need no name there."""
    sizes = []
    for opened in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if str(opened.readlink()).startswith(f"{folder}/"):
                sizes.append(opened.stat().st_size)
    return sizes


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
    wait_for(lambda: any(size > 100_000 for size in sizes_of_open_files(process.pid, tmp_path)), "a block")
    assert names(tmp_path) == ["jobs.csv"]
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
