"""The commands that make, list, rotate and revoke keys."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from core.auth.api_keys import find_key, parse_key
from core.db.databases import Databases
from tests.conftest import ROOT
from tests.support.commands import RunCore, refusal
from tests.support.waiting import PATIENCE


def test_keys_are_made_listed_and_revoked(run_core: RunCore, databases: Databases) -> None:
    """`keys create` prints the new key and nothing else; `keys list` never shows it; `keys revoke` ends it."""
    ours = ("keys", "create", "--name", "nightly", "--client", "acme", "--scope", "job:read")
    staff = ("keys", "create", "--name", "staff", "--all-clients", "--scope", "job:read", "--scope", "admin:config")

    networks = ("--network", "192.0.2.0/24", "--network", "2001:db8::/32")
    first = run_core(*ours, *networks, "--expires", "2999-01-01")
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
    end = "2999-01-01T00:00:00Z"
    now = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        r"KEY ID +NAME +CLIENT +SCOPES +STATE +CREATED +CREATED BY  LAST USED +EXPIRES +REVOKED +NETWORKS\n"
        rf"{presented.key_id}  nightly  acme +job:read +revoked  {now}  cli +{end}  {now}  192.0.2.0/24,2001:db8::/32\n"
        rf"\w{{12}}  staff +\(all clients\)  admin:config,job:read  valid +{now}  cli +{end} +\(anywhere\)\n",
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


def test_a_key_that_could_not_be_printed_is_none(
    run_core: RunCore, database_url: str, connection: psycopg.Connection
) -> None:
    """Where a full disk takes no new key, there is none, the old one lives on, and the audit tells of none."""
    old = run_core("keys", "create", "--name", "nightly", "--client", "acme", "--scope", "job:read").stdout.decode()
    create = ("create", "--name", "lost", "--client", "acme", "--scope", "job:read")

    with Path("/dev/full").open("wb") as full:
        codes = [
            subprocess.run(
                [sys.executable, "-m", "core", "keys", *arguments],
                cwd=ROOT,
                env=os.environ | {"DATABASE_URL": database_url},
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                timeout=4 * PATIENCE,
            ).returncode
            for arguments in (create, ("rotate", old.split("_")[1]))
        ]

    assert codes == [1, 1]
    assert connection.execute("SELECT name, expires_at FROM api_keys").fetchall() == [("nightly", None)]
    assert connection.execute("SELECT event FROM audit_events WHERE event LIKE 'key-%'").fetchall() == [
        ("key-created",)
    ]


@pytest.mark.parametrize("overlap", ["24", "-1h", "99999h"])
def test_an_overlap_that_is_none_is_refused(run_core: RunCore, overlap: str) -> None:
    """An overlap is a number of hours or days, and is refused before anything is asked."""
    assert refusal(run_core("keys", "rotate", "x", f"--overlap={overlap}"), 2) == (
        "overlap is not a time like 0h, 24h or 7d."
    )
