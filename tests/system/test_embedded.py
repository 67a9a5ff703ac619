"""The embedded PostgreSQL: private, shared by the processes of one checkout, and gone when the last one leaves."""

import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from core.db import embedded
from core.db.database import Database
from core.db.embedded import LONGEST_SOCKET_DIRECTORY, EmbeddedServer
from core.errors import DatabaseUnavailable
from tests.conftest import ROOT
from tests.support.documents import APRIL, HEADER
from tests.support.serving import free_port
from tests.support.waiting import wait_for
from tests.support.warm_start import WarmProcess

# A process that uses the server until its standard input ends.
USER = """
import sys
from pathlib import Path
from core.db.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.read()
server.stop()
"""

# A process that asks for the server's account under another name.
ASK_ACCOUNT = """
import sys
from core.db import embedded
embedded.ACCOUNT = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
print(embedded._account().pw_uid)
"""


only_root = pytest.mark.skipif(os.getuid() != 0, reason="anybody else's server has their own rights")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that was started in an empty directory, beneath a directory that is closed to everybody else.

    The umask closes nothing.
    """
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    server = EmbeddedServer(closed / "checkout" / ".fencepost")
    before = os.umask(0)
    server.start()
    os.umask(before)
    # What other tests begin with is copied while it stands still.
    server.stop()
    pristine = server.home.with_name("pristine")
    subprocess.run(["cp", "-a", str(server.data), str(pristine)], check=True)
    # There processes are killed and not the machine: what they have written need not have reached a disk.
    with (pristine / "postgresql.conf").open("a") as settings:
        settings.write("fsync = off\n")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path: Path, running: EmbeddedServer) -> Path:
    """The home of a server that was made already, stopped: a copy, so that a test need not make its own."""
    home = tmp_path / ".fencepost"
    home.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", str(running.home.with_name("pristine")), str(home / "postgres")], check=True)
    return home


def ask(server: EmbeddedServer, query: str, **whom: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(**whom)) as connection:
        return connection.execute(query.encode()).fetchall()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def begin_user(home: Path) -> subprocess.Popen[str]:
    """Start a process that uses the server, without waiting for it."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(home)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for_url(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    return user.stdout.readline().strip()


def end_user(user: subprocess.Popen[str]) -> None:
    """Let a process leave in peace, and close its pipes."""
    with user:
        user.communicate(timeout=60)
    assert user.returncode == 0


def test_a_server_starts_where_there_was_nothing(running: EmbeddedServer) -> None:
    """In an empty directory a PostgreSQL 18 is made and started, even beneath a directory that is closed to others."""
    version = ask(
        running, "SELECT current_setting('server_version_num')::int / 10000, current_user, current_database()"
    )

    assert version == [(18, "fencepost", "fencepost")]


def test_only_the_owner_can_enter(running: EmbeddedServer) -> None:
    """Home, data and socket directory are closed to everybody else, and the server listens on no port."""
    assert [mode(path) for path in (running.home, running.data, running.sockets)] == [0o700] * 3
    assert mode(running.home.parent.parent) == 0o700
    assert ask(running, "SELECT current_setting('listen_addresses')") == [("",)]
    assert mode(running.sockets / ".s.PGSQL.5432") == 0o700


def test_the_application_is_no_superuser(running: EmbeddedServer) -> None:
    """The role of the application owns its database and has no right beyond."""
    attributes = ask(
        running,
        "SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolcanlogin ORDER BY 1",
    )
    owner = ask(running, "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'fencepost'")

    assert attributes == [("fencepost", False, False, False, False, False), ("postgres", True, True, True, True, True)]
    assert owner == [("fencepost",)]


@only_root
def test_its_superuser_reads_nothing_of_roots(running: EmbeddedServer) -> None:
    """No process of root's server has a capability, and no way to read a file finds more than its account may read."""
    attempts = (
        "SELECT pg_read_file('/etc/shadow')",
        "SELECT lo_import('/etc/shadow')",
        "SELECT pg_ls_dir('/root')",
        "COPY taken FROM '/etc/shadow'",
        "COPY taken FROM PROGRAM 'cat /etc/shadow'",
    )

    with psycopg.connect(running.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE taken (line text)")
        for attempt in attempts:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ExternalRoutineException)):
                connection.execute(attempt.encode())
        pids = [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity").fetchall()]
    pids.append(int((running.data / "postmaster.pid").read_text().split()[0]))

    for status in (Path(f"/proc/{pid}/status").read_text() for pid in pids[1:]):
        assert [found for found in re.findall(r"Cap(?:Inh|Prm|Eff|Amb):\t(\w+)", status) if int(found, 16)] == []
        assert "NoNewPrivs:\t1" in status


@only_root
def test_programs_that_its_account_cannot_enter_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where root has installed the programs behind a closed directory, the server runs from one copy of them."""
    whole = embedded._programs().parent
    package, installed = whole.parent, tmp_path / "closed" / whole.parent.name / whole.name
    installed.parent.mkdir(parents=True)
    subprocess.run(["cp", "-R", whole, installed], check=True)
    subprocess.run(["cp", "-R", package.with_name(f"{package.name}.libs"), tmp_path / "closed"], check=True)
    subprocess.run(["chmod", "-R", "go=", tmp_path / "closed"], check=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(embedded, "PROGRAMS_OF_ROOT", Path(folder) / "fencepost")

        first, second = (embedded._make_reachable(installed, "1") for _ in range(2))
        account = embedded._as_account(embedded._account())
        # The second one needs a library of the wheel.
        answers = [
            subprocess.check_output([*account, str(first / program), "--version"], text=True).split(".")[0]
            for program in ("postgres", "initdb")
        ]

        copy = Path(folder) / "fencepost" / f"{package.name}-1"
        assert first == second == copy / package.name / whole.name / "bin"
        assert answers == ["postgres (PostgreSQL) 18", "initdb (PostgreSQL) 18"]
        assert list((Path(folder) / "fencepost").iterdir()) == [copy]


def test_nobody_else_can_connect(running: EmbeddedServer) -> None:
    """`peer` lets in the account that owns the checkout, as the two roles that there are."""
    rules = (running.data / "pg_hba.conf").read_text()

    assert rules == "local all fencepost,postgres peer map=owner\n"
    assert not answers(running.url(role="root"))


def test_text_is_sorted_and_folded_alike_everywhere(running: EmbeddedServer) -> None:
    """The locale is the built-in C.UTF-8, so that no locale of the machine decides anything."""
    locale = ask(
        running,
        "SELECT datlocprovider::text, datlocale, pg_encoding_to_char(encoding)::text"
        " FROM pg_database WHERE datname = 'fencepost'",
    )

    assert locale == [("b", "C.UTF-8", "UTF8")]
    assert ask(running, "SELECT lower('ÉΩЯ'), 'B' < 'a'") == [("éωя", True)]


def test_the_log_holds_no_text_of_jobs(running: EmbeddedServer) -> None:
    """An error is logged without its statement and its values, because both can quote a prompt."""
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        ask(running, "SELECT 'a confidential prompt'::json")
    with pytest.raises(psycopg.errors.DivisionByZero):
        ask(running, "SELECT 1 / 0, 'a confidential prompt'")

    log = (running.data / "server.log").read_text()
    assert "division by zero" in log
    assert "confidential" not in log


def test_starting_again_is_harmless(running: EmbeddedServer) -> None:
    """A server that was started already is simply named again; stopping one that was not started does nothing."""
    assert running.start() == running.url()

    EmbeddedServer(running.home).stop()

    assert answers(running.url())


def test_the_last_process_stops_it_and_the_data_stays(home: Path) -> None:
    """Two users of one home share a server; it runs until both have left, and keeps its data."""
    first, second = EmbeddedServer(home), EmbeddedServer(home)
    first.start()
    url = second.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    first.stop()
    while_one_uses_it = answers(url)
    second.stop()
    afterwards = answers(url)
    again = EmbeddedServer(home)
    again.start()

    try:
        assert [while_one_uses_it, afterwards] == [True, False]
        assert ask(again, "SELECT answer FROM kept") == [(42,)]
    finally:
        again.stop()


def test_two_processes_that_start_at_once_share_it(tmp_path: Path) -> None:
    """Two processes that find no server make one between them; the last one stops it.

    What is left of an interrupted start is thrown away: a server has its name only when it is complete.
    """
    home = tmp_path / ".fencepost"
    (home / "postgres.new" / "base").mkdir(parents=True)
    first, second = begin_user(home), begin_user(home)

    urls = [wait_for_url(first), wait_for_url(second)]
    end_user(first)
    while_one_uses_it = answers(urls[1])
    end_user(second)

    assert urls == [EmbeddedServer(home).url()] * 2
    assert [while_one_uses_it, answers(urls[0])] == [True, False]
    assert not (home / "postgres.new").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root needs another account, and only root may make one")
def test_several_that_need_the_account_at_once_get_one(request: pytest.FixtureRequest) -> None:
    """Checkouts that start at once on a fresh machine all find the account with the number that it keeps."""
    name = f"fencepost_t{os.getpid()}"
    request.addfinalizer(lambda: subprocess.run(["userdel", name], check=True))

    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ASK_ACCOUNT, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    numbers = [process.communicate(timeout=60)[0].strip() for process in asking]

    assert numbers == [str(pwd.getpwnam(name).pw_uid)] * 4


def test_a_killed_process_does_not_keep_it_running(home: Path) -> None:
    """A user that is killed leaves the server to the others, and the last of these still stops it."""
    killed, other = begin_user(home), EmbeddedServer(home)
    url = wait_for_url(killed)

    with killed:
        killed.kill()
        killed.wait()
        if killed.stdin is not None:
            killed.stdin.close()
    after_the_kill = answers(url)
    other.start()
    other.stop()

    assert [after_the_kill, answers(url)] == [True, False]


@pytest.mark.parametrize(
    "name", ["x" * 120, "a b", "it's 100%41 a?b#c&d", "a,b", "é ü"], ids=["long", "blank", "signs", "comma", "letters"]
)
def test_a_checkout_may_lie_anywhere(home: Path, tmp_path: Path, name: str) -> None:
    """A path that is too long for a socket, or has characters that a URL or a shell would take amiss, works as well."""
    (tmp_path / name).mkdir()
    moved = home.rename(tmp_path / name / ".fencepost")
    server = EmbeddedServer(moved)

    url = server.start()

    try:
        assert len(os.fsencode(server.sockets)) <= LONGEST_SOCKET_DIRECTORY
        assert mode(server.sockets) == 0o700
        assert answers(url)
    finally:
        server.stop()
    assert server.sockets.is_relative_to(moved) or not server.sockets.exists()


def test_a_directory_of_somebody_else_is_not_used_for_the_socket(home: Path, tmp_path: Path) -> None:
    """Where somebody has put something in the socket's place beforehand, the server does not start."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    server = EmbeddedServer(home)
    server.sockets.symlink_to(elsewhere)

    with pytest.raises(DatabaseUnavailable) as caught:
        server.start()

    server.sockets.unlink()
    assert str(caught.value) == f"{server.sockets} belongs to somebody else: remove it, or set DATABASE_URL."


def test_data_of_another_version_is_left_alone(home: Path) -> None:
    """Data of another PostgreSQL is neither used nor changed; the message says how to go on."""
    (home / "postgres" / "PG_VERSION").write_text("17\n")

    with pytest.raises(DatabaseUnavailable) as caught:
        EmbeddedServer(home).start()

    assert str(caught.value) == (
        f"{home / 'postgres'} was made by PostgreSQL 17, and this version brings 18: "
        "export its jobs with the version that made it, then move the directory away."
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the home cannot be made, the message names it and the remedy."""
    (tmp_path / "file").touch()
    home = tmp_path / "file" / ".fencepost"

    with pytest.raises(DatabaseUnavailable) as caught:
        EmbeddedServer(home).start()

    assert str(caught.value) == (
        f"The embedded PostgreSQL cannot use {home}: Not a directory. "
        "Make it writable or free some space, name another folder in FENCEPOST_HOME, or set DATABASE_URL."
    )


def test_a_server_that_does_not_start_names_its_logs(home: Path) -> None:
    """Where the server refuses its configuration, the message says where to look, and nobody counts as its user."""
    with (home / "postgres" / "postgresql.conf").open("a") as file:
        file.write("there_is_no_such_setting = on\n")

    with pytest.raises(DatabaseUnavailable) as caught:
        EmbeddedServer(home).start()

    assert str(caught.value) == (
        "The embedded PostgreSQL could not be started (pg_ctl failed): "
        f"look into {home / 'programs.log'} and {home / 'postgres' / 'server.log'}, or set DATABASE_URL."
    )


def test_commands_use_it_where_no_database_is_named(tmp_path: Path) -> None:
    """In a fresh checkout without DATABASE_URL a command makes, migrates and uses the embedded server, and stops it."""
    checkout = tmp_path / "my checkout"
    # With what is compiled of it already: the copies are as old as what they are compiled from.
    shutil.copytree(ROOT / "core", checkout / "core")
    command = [sys.executable, "-m", "core", "export", "--from", APRIL["from"], "--to", APRIL["to"]]

    done = subprocess.run(command, cwd=checkout, capture_output=True, check=False, timeout=120)

    assert (done.returncode, done.stdout) == (0, HEADER), done.stderr
    assert (checkout / ".fencepost" / "postgres" / "PG_VERSION").read_text() == "18\n"
    assert not (checkout / ".fencepost" / "postgres" / "postmaster.pid").exists()


@pytest.fixture
def in_use(home: Path) -> Iterator[tuple[EmbeddedServer, Database]]:
    """A server that this process uses through its pool, as the application does."""
    server = EmbeddedServer(home)
    database = Database("it", server.start(), read_only=False, remedy="", revive=server.revive)
    yield server, database
    database.close()
    server.stop()


def works(database: Database) -> bool:
    try:
        with database.transaction() as transaction:
            return bool(transaction.execute(text("SELECT 1")).scalar_one())
    except DatabaseUnavailable:
        return False


def started_at(database: Database) -> datetime | None:
    """The time at which the server that answers was started, or none if none does."""
    try:
        with database.transaction() as transaction:
            started: datetime = transaction.execute(text("SELECT pg_postmaster_start_time()")).scalar_one()
    except DatabaseUnavailable:
        return None
    return started


def pid_of(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split("\n")[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
def test_a_server_that_has_died_is_started_again(in_use: tuple[EmbeddedServer, Database], number: int) -> None:
    """Whoever asks next starts it, without any command; what was committed is there."""
    server, database = in_use
    with database.transaction() as transaction:
        transaction.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    before = started_at(database)
    os.kill(pid_of(server), number)
    wait_for(lambda: not answers(server.url()), "the end of the server")

    # For a moment the process behind a connection may outlive its server.
    wait_for(lambda: started_at(database) not in (None, before), "another server")

    with database.transaction() as transaction:
        assert transaction.execute(text("SELECT answer FROM kept")).scalar_one() == 42


def test_a_home_that_was_removed_is_made_anew(in_use: tuple[EmbeddedServer, Database]) -> None:
    """After `rm -rf .fencepost` the next question is answered by a new server; the old one does it no harm."""
    server, database = in_use
    assert works(database)
    old = pid_of(server)
    shutil.rmtree(server.home)
    database.close()

    wait_for(lambda: works(database), "a new server")
    # It looks once a minute whether its files are there, and may have gone by itself.
    with suppress(ProcessLookupError):
        os.kill(old, signal.SIGINT)
    wait_for(lambda: not Path(f"/proc/{old}").exists(), "the end of the old server")
    database.close()

    wait_for(lambda: works(database), "the server, whose socket the old one has taken along")


def test_a_stale_number_of_another_process_is_no_server(home: Path) -> None:
    """A `postmaster.pid` left by a crash, whose number belongs to another process by now, does not stop the start."""
    server = EmbeddedServer(home)
    account = pwd.getpwuid((home / "postgres").stat().st_uid)
    with subprocess.Popen(["sleep", "300"], user=account.pw_uid) as other:
        lock = home / "postgres" / "postmaster.pid"
        lock.write_text(f"{other.pid}\n{server.data}\n1\n5432\n{server.sockets}\n\n 1 1\nready   \n")
        os.chown(lock, account.pw_uid, account.pw_gid)

        try:
            assert answers(server.start())
        finally:
            server.stop()
            other.kill()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_another_owner_is_named(home: Path) -> None:
    """Data that a copy or a `chown` has given to somebody else are named, with what gives them back."""
    os.chown(home / "postgres", 12345, 12345)

    with pytest.raises(DatabaseUnavailable, match=r"belongs to the account with the number 12345.*chown -R fencepost "):
        EmbeddedServer(home).start()


def test_what_is_said_at_the_first_start_is_a_line_of_the_log(home: Path, tmp_path: Path) -> None:
    """With `FENCEPOST_LOG=json` demo jobs that take a while are announced by an object, as all that follows is."""
    log = tmp_path / "server.log"
    variables = {"FENCEPOST_HOME": str(home), "FENCEPOST_DEMO": "1", "FENCEPOST_LOG": "json"}
    address = {"STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_PORT": str(free_port())}
    server = WarmProcess("dashboard", [], variables | address, log)

    wait_for(lambda: "First start" in log.read_text(), "what is said at the first start")
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=60)
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert code == 0
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("fencepost.server", "First start: making 50,000 demo jobs …")
    ]
