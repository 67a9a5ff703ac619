"""`python -m core import`: jobs from files in the export's own format."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

import click

from core.access import COMMAND_LINE
from core.commands import open_checked
from core.csv_format import BOM, COLUMNS, make_header
from core.errors import NotPossible
from core.filters import LONGEST_RANGE, print_exact
from core.imports import ASIDE, Imported, import_jobs
from core.settings import load_settings


@click.command("import")
@click.option("--client", "client_id", metavar="ID", required=True, help="The client that the jobs belong to.")
@click.option("--spreadsheet-safe", is_flag=True, help="The file has guards (') before cells: take them off.")
@click.option(
    "--skip-bad",
    metavar="NEW FILE",
    type=click.Path(dir_okay=False),
    help="Write records that are wrong to this file, and import the others.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def import_command(client_id: str, spreadsheet_safe: bool, skip_bad: str | None, files: tuple[str, ...]) -> None:
    """Import jobs from files of the export's format, plain or gzip; - is standard input.

    Each file is imported as a whole or not at all. The same file twice changes nothing; an older one undoes nothing.
    """
    with open_checked(load_settings()) as databases, _aside(skip_bad) as skipped:
        for name in files:
            with (
                _open(name) as (file, size),
                _kept_whole(skipped),
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
            _tell(name, imported, skip_bad)


@contextmanager
def _aside(name: str | None) -> Iterator[BinaryIO | None]:
    """Make the file of records that are wrong; it stays only where there are some."""
    if name is None:
        yield None
        return
    path = Path(name)
    try:
        file = path.open("xb")
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
def _kept_whole(file: BinaryIO | None) -> Iterator[None]:
    """Take back what an import has set aside where the import itself was taken back."""
    start = 0 if file is None else file.tell()
    try:
        yield
    except BaseException:
        if file is not None:
            file.seek(start)
            file.truncate()
        raise


@contextmanager
def _open(name: str) -> Iterator[tuple[BinaryIO, int]]:
    if name == "-":
        yield sys.stdin.buffer, 0
        return
    try:
        with Path(name).open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None


def _tell(name: str, imported: Imported, skip_bad: str | None) -> None:
    """Say on standard error what became of a file, and where to look at it."""
    lines = []
    if imported.demo_removed:
        lines.append("The demo jobs were removed first.")
    if imported.ignored_columns:
        lines.append(f"{name}: left out columns: {', '.join(imported.ignored_columns)}.")
    lines.append(
        f"{name}: {imported.records:,} records: {imported.inserted:,} new jobs, {imported.updated:,} changed, "
        f"{imported.unchanged:,} as they were, {imported.logs:,} new logs."
    )
    if imported.skipped:
        lines.append(f"{name}: {imported.skipped:,} records were skipped: see {skip_bad}.")
    if imported.last is not None and imported.first is not None:
        end = imported.last.astimezone(UTC) + timedelta(microseconds=1)
        start = max(imported.first.astimezone(UTC), end - LONGEST_RANGE)
        link = urlencode({"from": print_exact(start), "to": print_exact(end)})
        lines.append(f"Look at them in the dashboard: http://localhost:3051/?{link}")
    for line in lines:
        click.echo(line, err=True)
