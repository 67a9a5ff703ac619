"""The command line: `python -m core`."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import click

from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import create_key, list_keys, revoke_key, rotate_key
from core.cli.audit import audit
from core.cli.check import check_command
from core.cli.import_files import import_command
from core.cli.runner import open_checked, run_command
from core.cli.sync import sync_command
from core.cli.times import parse_day, parse_length
from core.db.database import Databases, migrate
from core.errors import InvalidParameter
from core.export.export import Export, Reader, start_export
from core.export.receipts import Via
from core.export.verification import verify_file
from core.intake.demo import PERIOD, seed_jobs
from core.jobs.filter import PARAMETERS, STATUSES, Category, Cell, Decision, JobFilter, print_exact
from core.jobs.query import Wall
from core.settings import load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Fencepost on the command line: jobs in and out, receipts, keys, the audit and the tables."""


main.add_command(audit)
main.add_command(check_command)
main.add_command(import_command)
main.add_command(sync_command)


@main.command("migrate", short_help="Create or upgrade the tables.")
@click.option("--partitioned", is_flag=True, help="For a new database: jobs in a table for each month.")
def migrate_command(partitioned: bool) -> None:
    """Create or upgrade the tables; where jobs are in months, make those of the next year."""
    migrate(load_settings(), partitioned=partitioned)


@main.command()
@click.option("--jobs", type=click.IntRange(min=1), required=True, help="How many jobs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other numbers give other jobs.")
@click.option("--until", metavar="DATE", help="The end of the 120 days that they cover, as 2026-05-01 [default: now].")
def seed(jobs: int, seed: int, until: str | None) -> None:
    """Replace the demo jobs by new ones; refuse where other jobs exist."""
    end = datetime.now(UTC).replace(microsecond=0) if until is None else parse_day("until", until)
    # Jobs begin before that day and may be logged shortly after it.
    if not datetime.min.replace(tzinfo=UTC) + PERIOD < end < datetime.max.replace(tzinfo=UTC) - PERIOD:
        raise InvalidParameter("until is too far away: choose a day like 2026-05-01.")
    with open_checked(load_settings()) as databases, _progress_bar(jobs, "Demo jobs") as advance:
        seed_jobs(databases, jobs, seed=seed, until=end, advance=advance)
    click.echo(f"{jobs:,} demo jobs from {(end - PERIOD).date()} to {end.date()}.", err=True)


@main.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys."""


@keys.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--client", metavar="ID", help="The client whose jobs the key sees.")
@click.option("--all-clients", is_flag=True, help="A staff key: it sees the jobs of all clients.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the key may do; may be given several times.",
)
@click.option("--expires", metavar="ISO", help="When it ends, as 2027-01-01 or 2027-01-01T00:00:00Z.")
def create_key_command(
    name: str, client: str | None, all_clients: bool, scopes: tuple[str, ...], expires: str | None
) -> None:
    """Print a new key, once, and nothing else."""
    if all_clients == (client is not None):
        raise click.UsageError("Give either --client ID or --all-clients.")
    expires_at = None if expires is None else parse_day("expires", expires)
    with open_checked(load_settings()) as databases:
        key = create_key(
            databases,
            COMMAND_LINE,
            name=name,
            wall=Wall(client),
            scopes=frozenset(Scope(scope) for scope in scopes),
            expires_at=expires_at,
        )
    click.echo(key)


@keys.command("list")
def list_keys_command() -> None:
    """List all keys, without their secrets."""
    with open_checked(load_settings()) as databases:
        rows = list_keys(databases.ours)
    table = [
        ("KEY ID", "NAME", "CLIENT", "SCOPES", "STATE", "CREATED", "CREATED BY", "LAST USED", "EXPIRES", "REVOKED"),
    ]
    for row in rows:
        created, used, expires, revoked = (
            print_exact(time)[:19] + "Z" if time else ""
            for time in (row.created_at, row.last_used_at, row.expires_at, row.revoked_at)
        )
        client, scopes, maker = row.client_id or "(all clients)", ",".join(row.scopes), row.address or row.created_by
        table.append((row.key_id, row.name, client, scopes, row.state, created, maker, used, expires, revoked))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@keys.command("rotate", short_help="Print a new key that takes the place of another.")
@click.argument("key_id")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the old key still opens, as 0h, 24h or 7d; never longer than it would have.",
)
def rotate_key_command(key_id: str, overlap: str) -> None:
    """Print a new key that takes the place of KEY_ID, once, and nothing else."""
    length = parse_length("overlap", overlap, like="0h, 24h or 7d")
    with open_checked(load_settings()) as databases:
        key = rotate_key(databases, COMMAND_LINE, key_id, overlap=length)
    click.echo(key)


@keys.command("revoke")
@click.argument("key_id")
def revoke_key_command(key_id: str) -> None:
    """Revoke a key for good."""
    with open_checked(load_settings()) as databases:
        revoke_key(databases, COMMAND_LINE, key_id)


# What `--help` says of each parameter; one that is missing here is an error at once.
_MEANINGS = {
    "from": "Jobs created from this time on, as 2026-04-01T00:00:00Z. Required.",
    "to": "Jobs created before this time, at most 366 days later. Required.",
    "type": "Types, with commas between them.",
    "status": f"List of {', '.join(STATUSES)}.",
    "decision": f"List of {', '.join(Decision)}.",
    "category": f"List of {', '.join(Category)}: any of them true; or none: a log exists and none is true.",
    **{category.column: f"Exactly what this cell shows: {', '.join(Cell)}." for category in Category},
    "evaluated": "true or false: has a moderation log or not.",
    "q": "The prompt contains this, regardless of case.",
    "job_id": "The beginning of a UUID.",
    "client_id": "One client's jobs.",
    "spreadsheet_safe": "true: a ' before cells that a spreadsheet could take for a formula.",
}


def _parameter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every parameter of the export, so that none can be forgotten."""
    for name in reversed(list(PARAMETERS)):
        option = click.option(f"--{name.replace('_', '-')}", name, metavar="VALUE", multiple=True, help=_MEANINGS[name])
        command = option(command)
    return command


@main.command(short_help="Write jobs as CSV: the bytes of the API's export.")
@_parameter_options
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file [default: standard output]."
)
def export(output: Path | None, **given: tuple[str, ...]) -> None:
    """Write the bytes of GET /api/v1/jobs/export to a file or to standard output.

    The parameters are those of the API, with hyphens for underscores.
    """
    job_filter = JobFilter.from_params((name, value) for name in PARAMETERS for value in given[name])
    with open_checked(load_settings()) as databases:
        if output is None:
            if sys.stdout.isatty():
                raise click.UsageError("Give a file with -o FILE, or redirect standard output.")
            asyncio.run(_export(databases, job_filter, sys.stdout.buffer))
            sys.stdout.flush()
            return
        with _output(output) as file:
            asyncio.run(_export(databases, job_filter, file))


async def _export(databases: Databases, job_filter: JobFilter, file: BinaryIO) -> None:
    settings, reader = load_settings(), Reader()
    started = start_export(
        databases,
        job_filter,
        COMMAND_LINE,
        via=Via.CLI,
        reader=reader,
        with_total=sys.stderr.isatty(),
        first_byte_timeout=settings.fencepost_first_byte_timeout,
        workers=settings.fencepost_export_workers,
    )
    async with started as running:
        with _progress_bar(running.total or 0, "Export") as advance:
            try:
                await _write(running, file, advance)
            except (OSError, asyncio.CancelledError, KeyboardInterrupt):
                reader.gone = True
                raise
    done = running.progress
    click.echo(f"{done.rows:,} records, {done.bytes:,} bytes, export {running.export_id}.", err=True)


async def _write(running: Export, file: BinaryIO, advance: Callable[[int], None]) -> None:
    written = 0
    async with aclosing(running.stream()) as blocks:
        async for block in blocks:
            file.write(block)
            file.flush()
            advance(running.progress.rows - written)
            written = running.progress.rows


@main.command(short_help="Tell whether a file is a complete export of ours.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--export-id", type=click.UUID, help="The export that the file should be.")
def verify(file: Path, export_id: UUID | None) -> None:
    """Tell whether FILE is a complete export of ours; print its receipt."""
    with open_checked(load_settings()) as databases:
        receipt = verify_file(databases, file, export_id)
    click.echo(json.dumps(receipt, indent=2))


@contextmanager
def _progress_bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error where that is a terminal; else show nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda steps: bar.update(steps)


@contextmanager
def _output(path: Path) -> Iterator[BinaryIO]:
    """Open what an export is written to: a new file, or a pipe or device that is there already."""
    try:
        is_special = path.exists() and not path.is_file()
        with path.open("wb") if is_special else _new_file(path.resolve()) as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}. Nothing was left behind.") from None


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only when it is complete; whatever bore that name stays until then."""
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with beside.open("xb") as file:
            # The text is confidential: nobody but the owner reads it.
            beside.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


if __name__ == "__main__":
    # A command's error is one line on standard error; what the log says beside it is for servers.
    logging.getLogger("fencepost").addHandler(logging.NullHandler())
    run_command(main, "python -m core")
