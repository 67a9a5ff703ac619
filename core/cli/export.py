"""`python -m core export` and `verify`: jobs as CSV, and whether a file is a complete export."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import click

from core.actor import COMMAND_LINE
from core.cli.input import FileName, open_input
from core.cli.output import STANDARD_OUTPUT, open_output, progress_bar
from core.cli.runner import open_checked
from core.db.databases import Databases
from core.export.export import Export, Reader, start_export
from core.export.receipts import Via
from core.export.review_export import PARAMETERS as REVIEW_PARAMETERS
from core.export.review_export import ReviewExport
from core.export.verification import verify_file
from core.jobs.filter import PARAMETERS, JobFilter
from core.jobs.parameters import Parameter
from core.settings import load_settings

Command = Callable[..., None]


def parameter_options(parameters: Mapping[str, Parameter[Any]]) -> Callable[[Command], Command]:
    """Give a command an option for every parameter of an export, so that none can be forgotten."""

    def give(command: Command) -> Command:
        for name, parameter in reversed(list(parameters.items())):
            flag = f"--{name.replace('_', '-')}"
            command = click.option(flag, name, metavar="VALUE", multiple=True, help=parameter.meaning)(command)
        return command

    return give


@click.command(short_help="Write jobs as CSV: the bytes of the API's export.")
@parameter_options(PARAMETERS)
@click.option(
    *("-o", "--output"),
    type=FileName(path_type=Path, dir_okay=False, allow_dash=True),
    default=STANDARD_OUTPUT,
    help="A file, or - for standard output [default: standard output].",
)
def export(output: Path, **given: tuple[str, ...]) -> None:
    """Write the bytes of GET /api/v1/jobs/export to a file or to standard output.

    The parameters are those of the API, with hyphens for underscores.
    """
    job_filter = JobFilter.from_params((name, value) for name in PARAMETERS for value in given[name])
    with open_checked(load_settings()) as databases, open_output(output) as file:
        asyncio.run(_export(databases, job_filter, file))


@click.group()
def reviews() -> None:
    """Verdicts of people on jobs."""


@reviews.command("export", short_help="Write verdicts as CSV: the bytes of the API's export.")
@parameter_options(REVIEW_PARAMETERS)
@click.option("-o", "--output", type=FileName(path_type=Path, dir_okay=False), required=True, help="A new file.")
def export_reviews(output: Path, **given: tuple[str, ...]) -> None:
    """Write the bytes of GET /api/v1/reviews/export to a file.

    The parameters are those of the API, with hyphens for underscores.
    """
    job_filter = JobFilter.from_params((name, value) for name in REVIEW_PARAMETERS for value in given[name])
    with open_checked(load_settings()) as databases, open_output(output) as file:
        asyncio.run(_export(databases, job_filter, file, ReviewExport))


async def _export(databases: Databases, job_filter: JobFilter, file: BinaryIO, kind: type[Export] = Export) -> None:
    settings, reader = load_settings(), Reader()
    started = start_export(
        databases,
        job_filter,
        COMMAND_LINE,
        via=Via.CLI,
        reader=reader,
        kind=kind,
        with_total=sys.stderr.isatty(),
        first_byte_timeout=settings.fencepost_first_byte_timeout,
        workers=settings.fencepost_export_workers,
    )
    async with started as running:
        with progress_bar(running.total or 0, "Export") as advance:
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


@click.command(short_help="Tell whether a file is a complete export of ours.")
@click.argument("file", type=FileName())
@click.option("--export-id", type=click.UUID, help="The export that the file should be.")
def verify(file: str, export_id: UUID | None) -> None:
    """Tell whether FILE is a complete export of ours; print its receipt. - is standard input."""
    name = "Standard input" if file == "-" else file
    with open_checked(load_settings()) as databases, open_input(file, name) as (opened, _):
        receipt = verify_file(databases, opened, name, export_id)
    click.echo(json.dumps(receipt, indent=2))
