"""`python -m core import`: jobs from files in the export's own format."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlencode

import click

from core.actor import COMMAND_LINE
from core.cli.runner import make_plain, open_checked
from core.csv.format import BOM, COLUMNS, make_header
from core.errors import NotPossible
from core.intake.importer import ASIDE, Imported, import_jobs, tidy
from core.jobs.filter import LONGEST_RANGE, print_exact
from core.settings import load_settings

client_option = click.option(
    "--client", "client_id", metavar="ID", required=True, help="The client that the jobs belong to."
)
skip_bad_option = click.option(
    "--skip-bad",
    metavar="NEW FILE",
    type=click.Path(dir_okay=False),
    help="Write records that are wrong to this file, and import the others.",
)


@click.command("import", short_help="Import jobs from files of the export's format.")
@client_option
@click.option("--spreadsheet-safe", is_flag=True, help="The file has guards (') before cells: take them off.")
@skip_bad_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def import_command(client_id: str, spreadsheet_safe: bool, skip_bad: str | None, files: tuple[str, ...]) -> None:
    """Import jobs from files of the export's format, plain or gzip; - is standard input.

    Each file is imported as a whole or not at all. The same file twice changes nothing; an older one undoes nothing.
    """
    with open_checked(load_settings()) as databases, open_aside(skip_bad) as skipped:
        for path in files:
            name = "standard input" if path == "-" else make_plain(path)
            with (
                _open(path, name) as (file, size),
                click.progressbar(
                    length=size, label=name, file=sys.stderr, hidden=not (size and sys.stderr.isatty())
                ) as bar,
            ):
                imported = import_jobs(
                    databases,
                    file,
                    COMMAND_LINE,
                    client_id=client_id,
                    name=name,
                    spreadsheet_safe=spreadsheet_safe,
                    skipped=skipped,
                    advance=bar.update,
                )
            lines = [*explain_import(name, imported, skip_bad), f"{name}: {imported}"]
            if imported.first is not None and imported.last is not None:
                lines.append(link_to_jobs(imported.first, imported.last))
            for line in lines:
                click.echo(make_plain(line), err=True)
            tidy(databases.ours)


class Aside(FileIO):
    """A file that holds nothing back: what cannot be written is known at once, and is not tried again later."""

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return length


@contextmanager
def open_aside(name: str | None) -> Iterator[BinaryIO | None]:
    """Make the file of records that are wrong; it stays only where there are some."""
    if name is None:
        yield None
        return
    path = Path(name)
    try:
        file = Aside(path, "xb")
    except FileExistsError:
        raise NotPossible(f"{name} exists already: choose another file for --skip-bad.") from None
    with file:
        # The text is confidential: nobody but the owner reads it.
        path.chmod(0o600)
        start = file.write(BOM + make_header((*ASIDE, *COLUMNS)))
        try:
            yield file
        finally:
            if file.tell() == start:
                path.unlink()


@contextmanager
def _open(path: str, name: str) -> Iterator[tuple[BinaryIO, int]]:
    if path == "-":
        if sys.stdin is None:
            raise NotPossible("Standard input is closed: send a file there, or name one.")
        yield sys.stdin.buffer, 0
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None
        yield file, os.fstat(file.fileno()).st_size


def explain_import(name: str, imported: Imported, skip_bad: str | None) -> list[str]:
    """Say in sentences what else became of a file beside what it brought."""
    lines = []
    if imported.demo_removed:
        lines.append("The demo jobs were removed first.")
    if imported.ignored_columns:
        lines.append(f"{name}: left out columns: {', '.join(imported.ignored_columns)}.")
    if imported.skipped:
        lines.append(f"{name}: {imported.skipped:,} records were skipped: see {skip_bad}.")
    return lines


def link_to_jobs(first: datetime, last: datetime) -> str:
    """Say where jobs that were created between two instants are shown."""
    # Neither bound may lie beyond the years that there are.
    end = last + min(timedelta(microseconds=1), datetime.max.replace(tzinfo=UTC) - last)
    start = max(first, end - min(LONGEST_RANGE, end - first))
    link = urlencode({"from": print_exact(start), "to": print_exact(end)})
    return f"Look at them in the dashboard: http://localhost:3051/?{link}"
