"""Measure what a refusal tells: `python -m benchmarks.keys [--requests N]`.

Asks the API in alternation with keys that are unknown, have a wrong secret, or are revoked or expired, and prints the
medians. They take the same path, so that they differ no more than the same kind does from itself.
"""

import http.client
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from pydantic import SecretStr

from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import BASE62, create_key, revoke_key
from core.cli.runner import open_checked
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate
from core.jobs.wall import Wall
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PORT = 3097
TARGET = "/api/v1/exports/0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d"

# Other keys in the table, so that looking one up is the work that it is.
OTHERS = 500


@click.command()
@click.option("--requests", default=2_000, show_default=True, help="Requests of each kind.")
def main(requests: int) -> None:
    """Print the median of each kind, and its ratio to that of unknown keys."""
    with tempfile.TemporaryDirectory() as directory, _serve(Path(directory)) as keys:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        times: dict[str, list[float]] = {kind: [] for kind in keys}
        for _ in range(requests):
            # In an order that is new each time, so that no kind always comes after the same other.
            for kind in sorted(keys, key=lambda _: secrets.randbits(32)):
                times[kind].append(_ask(connection, keys[kind]))
    reference = statistics.median(times["unknown"])
    print("| key | median | to unknown | quartiles |\n|---|---|---|---|")
    for kind, taken in times.items():
        low, median, high = (value * 1000 for value in statistics.quantiles(taken, n=4))
        print(f"| {kind} | {median:.3f} ms | {median / reference / 1000:.3f} × | {low:.3f} – {high:.3f} ms |")


def _ask(connection: http.client.HTTPConnection, key: str) -> float:
    begun = time.perf_counter()
    connection.request("GET", TARGET, headers={"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    response.read()
    assert response.status == 401, response.status
    return time.perf_counter() - begun


@contextmanager
def _serve(directory: Path) -> Iterator[dict[str, str]]:
    """Serve the API on a PostgreSQL of its own; yield a key of each kind. "unknown again" shows the noise."""
    embedded = EmbeddedServer(directory / "fencepost")
    url = embedded.start()
    settings = Settings(database_url=SecretStr(url))
    migrate(settings)
    with open_checked(settings) as databases:
        keys = _make_keys(databases)
        databases.ours.vacuum("api_keys")
    environment = os.environ | {"DATABASE_URL": url}
    command = [sys.executable, "-m", "api", "--port", str(PORT)]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            _wait_until_it_answers()
            yield keys
        finally:
            process.terminate()
    embedded.stop()


def _make_keys(databases: Databases) -> dict[str, str]:
    def make() -> str:
        scopes = frozenset({Scope.JOB_READ})
        return create_key(
            databases, COMMAND_LINE, name="benchmark", wall=Wall("demo-eastwind"), scopes=scopes, expires_at=None
        )

    known = [make() for _ in range(OTHERS)]
    revoked, expired, *_ = known
    revoke_key(databases, COMMAND_LINE, revoked.split("_")[1])
    with databases.ours.transaction() as connection:
        values = (datetime.now(UTC) - timedelta(days=1), expired.split("_")[1])
        connection.exec_driver_sql("UPDATE api_keys SET expires_at = %s WHERE key_id = %s", values)
    return {
        "unknown": _forge(_random(12)),
        "unknown again": _forge(_random(12)),
        "wrong secret": _forge(known[2].split("_")[1]),
        "revoked": revoked,
        "expired": expired,
    }


def _forge(key_id: str) -> str:
    """Write a key with this id, some secret and a right checksum."""
    body = f"fp_{key_id}_{_random(43)}"
    number = zlib.crc32(body.encode())
    return f"{body}_" + "".join(BASE62[number // 62**place % 62] for place in reversed(range(6)))


def _random(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))


def _wait_until_it_answers() -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise click.ClickException("the API does not answer")


if __name__ == "__main__":
    main()
