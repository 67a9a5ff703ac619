"""`python -m core import`: jobs from files in the export's own format."""

import sys

import click

from core.actor import COMMAND_LINE
from core.cli.import_options import DelimiterType, client_option, explain_import, link_to_jobs, skip_bad_option
from core.cli.input import FileName, open_input
from core.cli.output import open_aside
from core.cli.runner import make_plain, open_checked
from core.intake.importer import import_jobs, vacuum_jobs
from core.intake.job_file import JobFile
from core.settings import load_settings


@click.command("import", short_help="Import jobs from files of the export's format.")
@client_option
@click.option(
    "--spreadsheet-safe/--no-spreadsheet-safe",
    default=None,
    help="Whether the file has guards (') before cells: take them off, or keep the text as it is.",
)
@click.option(
    "--delimiter",
    type=DelimiterType(),
    metavar="CHARACTER",
    help="What stands between cells, as ';' or tab; without it, it is found.",
)
@click.option("--without-categories", is_flag=True, help="The file may lack the columns of categories.")
@skip_bad_option
@click.argument("files", type=FileName(), nargs=-1, required=True, metavar="FILE...")
def import_command(
    client_id: str,
    spreadsheet_safe: bool | None,
    delimiter: str | None,
    without_categories: bool,
    skip_bad: str | None,
    files: tuple[str, ...],
) -> None:
    """Import jobs from files of the export's format, plain or gzip; - is standard input.

    Each file is imported as a whole or not at all. The same file twice changes nothing; an older one undoes nothing.
    """
    settings = load_settings()
    with open_checked(settings) as databases, open_aside(skip_bad) as skipped:
        for path in files:
            name = "standard input" if path == "-" else make_plain(path)
            with (
                open_input(path, name) as (file, size),
                click.progressbar(
                    length=size, label=name, file=sys.stderr, hidden=not (size and sys.stderr.isatty())
                ) as bar,
            ):
                imported = import_jobs(
                    databases,
                    JobFile(
                        file=file,
                        name=name,
                        client_id=client_id,
                        spreadsheet_safe=spreadsheet_safe,
                        delimiter=delimiter,
                        has_categories=not without_categories,
                        skipped=skipped,
                        advance=bar.update,
                    ),
                    COMMAND_LINE,
                )
            lines = [*explain_import(name, imported, skip_bad), f"{name}: {imported}"]
            if imported.first is not None and imported.last is not None:
                lines.append(link_to_jobs(settings, client_id, imported.first, imported.last))
            for line in lines:
                click.echo(make_plain(line), err=True)
            if imported.has_changed:
                vacuum_jobs(databases.ours)
