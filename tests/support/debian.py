"""A PostgreSQL from the system's packages: older than the embedded one, and with the extensions that one lacks."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

import pytest


def find_programs(extension: str) -> Path:
    """Return the folder of the system's PostgreSQL server programs, which must have an extension.

    Without them the test is skipped; where FENCEPOST_TEST_POSTGRESQL=required it fails.
    """
    programs = None
    with suppress(OSError, subprocess.CalledProcessError):
        found = [
            Path(subprocess.run(["pg_config", name], capture_output=True, text=True, check=True).stdout.strip())
            for name in ("--bindir", "--sharedir")
        ]
        if (found[0] / "initdb").exists() and (found[1] / "extension" / f"{extension}.control").exists():
            programs = found[0]
    if programs is not None:
        return programs
    if os.environ.get("FENCEPOST_TEST_POSTGRESQL") == "required":
        pytest.fail(f"no PostgreSQL server with {extension} is installed, and FENCEPOST_TEST_POSTGRESQL=required")
    pytest.skip(f"no PostgreSQL server with {extension} from the system's packages: install postgresql to test it")


@contextmanager
def running_server(programs: Path, *, locale: str, tls_port: int | None = None) -> Iterator[str]:
    """Run a server of its own for a block, as a superuser's URL.

    It listens on a socket in its own folder, or with TLS, for which it makes a certificate, on a port of the loopback.
    """
    folder = _make_folder()
    run = partial(_run, programs, folder)
    data = str(folder / "data")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    url = f"postgresql://postgres@/postgres?host={folder}"
    if tls_port is not None:
        options = f"-c listen_addresses=127.0.0.1 -c port={tls_port} -c ssl=on -c unix_socket_directories='{folder}'"
        url = f"postgresql://postgres@127.0.0.1:{tls_port}/postgres?sslmode=require"
    try:
        run("cp", "-a", str(_make_files(programs, locale)), data)
        if tls_port is not None:
            run(*_CERTIFICATE, "-keyout", f"{data}/server.key", "-out", f"{data}/server.crt")
        run("pg_ctl", "-D", data, "-w", "-o", options, "start")
        try:
            yield url
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@cache
def _make_files(programs: Path, locale: str) -> Path:
    """Make the files of a server, to be copied: that takes a tenth of making them."""
    folder = _make_folder()
    atexit.register(shutil.rmtree, folder)
    data = folder / "data"
    options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", f"--locale={locale}", "--no-sync")
    _run(programs, folder, "initdb", "-D", str(data), *options)
    return data


def _make_folder() -> Path:
    """Make a folder for who runs the server.

    Not below pytest's, which nobody but its owner may enter: as root, the server runs as somebody else.
    """
    folder = Path(tempfile.mkdtemp(prefix="fencepost-test-"))
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _run(programs: Path, folder: Path, program: str, *arguments: str) -> None:
    account = _account()
    subprocess.run(
        [programs / program if (programs / program).exists() else program, *arguments],
        user=None if account is None else account.pw_uid,
        group=None if account is None else account.pw_gid,
        extra_groups=None if account is None else [],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


_CERTIFICATE = (
    *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    *("-subj", "/CN=127.0.0.1", "-days", "2"),
)


def _account() -> pwd.struct_passwd | None:
    """Return the account that the server runs as: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")
