"""Servers of one's own for tests: one that logs every statement and lets any role log in, and a standby of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from core.db.embedded import EmbeddedServer, _place

# A standby that gives way to its primary at once, and a primary that wakes it up at once.
SETTINGS = """
fsync = off
shared_buffers = 32MB
wal_level = replica
autovacuum = off
hot_standby_feedback = off
max_standby_streaming_delay = 100ms
wal_receiver_status_interval = 1s
log_min_messages = fatal
"""


@contextmanager
def running_server(home: Path, settings: str = SETTINGS) -> Iterator[EmbeddedServer]:
    """Run a server whose roles need no password and may replicate; its socket lies in a private folder."""
    server = EmbeddedServer(home)
    server.start()
    try:
        (server.data / "pg_hba.conf").write_text("local all all trust\nlocal replication all trust\n")
        with (server.data / "postgresql.conf").open("a") as configuration:
            configuration.write(settings)
        restart(server)
        yield server
    finally:
        server.stop()


@contextmanager
def running_standby(primary: EmbeddedServer, home: Path) -> Iterator[EmbeddedServer]:
    """Run a standby that streams from a primary."""
    home.mkdir(mode=0o700)
    standby = EmbeddedServer(home)
    copy_from(primary, standby)
    standby.start()
    try:
        yield standby
    finally:
        standby.stop()


def copy_from(primary: EmbeddedServer, standby: EmbeddedServer) -> None:
    """Make a standby's data by `pg_basebackup`, run by the account that runs the servers."""
    standby._make_directory(standby.data)
    source = f"host={primary.sockets} user=postgres"
    program = ("pg_basebackup", "-D", _place(standby.data), "-R", "-X", "stream", "-c", "fast", "-d", source)
    assert standby._run(*program) == 0, (standby.home / "programs.log").read_text()


def restart(server: EmbeddedServer) -> None:
    """Stop a server, which ends all its sessions, and start it again."""
    stop(server)
    start(server)


def stop(server: EmbeddedServer) -> None:
    assert server._run("pg_ctl", "-D", _place(server.data), "-m", "fast", "-w", "stop") == 0


def start(server: EmbeddedServer) -> None:
    server._launch()


def url_of(database: str, role: str, *servers: EmbeddedServer, **parameters: str) -> str:
    """Return the URL of a database on the first of some servers that answers."""
    hosts = quote(",".join(str(server.sockets) for server in servers))
    more = "".join(f"&{name}={quote(value)}" for name, value in parameters.items())
    return f"postgresql://{role}@/{database}?host={hosts}{more}"
