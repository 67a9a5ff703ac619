"""What the commands that bring jobs in share: their options, and what they say in the end."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import click

from core.cli.input import FileName
from core.instants import print_exact
from core.intake.importer import Imported, count
from core.jobs.filter import LONGEST_RANGE
from core.served_port import find_port
from core.settings import Settings

client_option = click.option(
    "--client", "client_id", metavar="ID", required=True, help="The client that the jobs belong to."
)


skip_bad_option = click.option(
    "--skip-bad",
    metavar="NEW FILE",
    type=FileName(dir_okay=False),
    help="Write records that are wrong to this file, and import the others.",
)


class DelimiterType(click.ParamType[str]):
    """One character, or the word `tab`."""

    name = "delimiter"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        character = "\t" if value in ("tab", r"\t") else value
        if len(character) != 1 or not character.isascii() or character.isalnum() or character in "\"\r\n\0 -.:'":
            self.fail(f"{value!r} is no delimiter: give one character such as ';', or tab.", param, ctx)
        return character


def explain_import(name: str, imported: Imported, skip_bad: str | None) -> list[str]:
    """Say in sentences what else became of a file beside what it brought."""
    lines = []
    if imported.demo_removed:
        lines.append("The demo jobs were removed first.")
    if imported.ignored_columns:
        lines.append(f"{name}: left out columns: {', '.join(imported.ignored_columns)}.")
    if imported.blank:
        lines.append(f"{name}: skipped {count(imported.blank, 'blank line')}.")
    if imported.skipped:
        were = "was" if imported.skipped == 1 else "were"
        lines.append(f"{name}: {count(imported.skipped, 'record')} {were} skipped: see {skip_bad}.")
    if imported.repeated:
        records, were = count(imported.repeated, "record"), "was" if imported.repeated == 1 else "were"
        lines.append(f"{name}: {records} {were} left out, because the file has a better or later one of the same job.")
    if imported.erased:
        records, were = count(imported.erased, "record"), "was" if imported.erased == 1 else "were"
        lines.append(f"{name}: {records} of jobs that were erased for good {were} left out.")
    return lines


def link_to_jobs(settings: Settings, client_id: str, first: datetime, last: datetime) -> str:
    """Say where a client's jobs that were created between two instants are shown."""
    # Neither bound may lie beyond the years that there are.
    end = last + min(timedelta(microseconds=1), datetime.max.replace(tzinfo=UTC) - last)
    start = max(first, end - min(LONGEST_RANGE, end - first))
    link = urlencode({"from": print_exact(start), "to": print_exact(end), "client_id": client_id})
    port = find_port(settings.fencepost_home) or settings.streamlit_server_port
    return f"Look at them in the dashboard: http://localhost:{port}/?{link}"
