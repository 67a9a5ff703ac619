"""`python -m core sync`: jobs from another server's export."""

import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from core.actor import COMMAND_LINE
from core.cli.import_options import client_option, explain_import, link_to_jobs, skip_bad_option
from core.cli.output import open_aside
from core.cli.runner import make_plain, open_checked
from core.cli.times import parse_day, parse_length
from core.errors import DatabaseUnavailable, InvalidParameter, ServerFailed
from core.instants import print_instant
from core.intake.importer import Imported, count
from core.settings import Settings, load_settings
from core.sync.endpoint import parse_url
from core.sync.remote_export import RemoteExport
from core.sync.sync import Pause, Sync, Window


@click.command("sync", short_help="Pull jobs from another server's export.")
@click.option("--url", required=True, metavar="URL", help="The other server, as https://api.example.com.")
@client_option
@click.option("--since", required=True, metavar="DATE", help="Jobs created from then on, as 2026-01-01.")
@click.option("--remote-client", metavar="ID", help="The client there, for a key that sees the jobs of several.")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long after its creation a job may still be decided; until then it is asked for again.",
)
@click.option("--every", metavar="TIME", help="Keep going: pull anew after this time, as 15m, until it is stopped.")
@click.option("--timeout", default="60s", show_default=True, metavar="TIME", help="How long the server may be silent.")
@click.option(
    "--longest-wait",
    default="30s",
    show_default=True,
    metavar="TIME",
    help="The longest pause after a failure, unless the server asks for a longer one.",
)
@skip_bad_option
def sync_command(
    url: str,
    client_id: str,
    since: str,
    remote_client: str | None,
    overlap: str,
    every: str | None,
    timeout: str,
    longest_wait: str,
    skip_bad: str | None,
) -> None:
    """Pull jobs from a server that speaks GET /api/v1/jobs/export; its API key is read from FENCEPOST_SYNC_KEY.

    What was pulled is noted: run this again at any time, and it goes on from there.
    """
    address, day = parse_url(url), parse_day("since", since)
    silence = parse_length("timeout", timeout, like="30s or 2m")
    pause = None if every is None else parse_length("every", every, like="30s, 15m or 1h")
    if not silence or pause == timedelta():
        raise InvalidParameter("timeout and every must be longer than nothing.")
    if remote_client is not None and not remote_client.strip():
        raise InvalidParameter("remote-client is empty: name the client there, or leave it out.")
    options: dict[str, Any] = {
        "client_id": client_id,
        "since": day,
        "overlap": parse_length("overlap", overlap, like="0h, 24h or 7d"),
        "longest_wait": parse_length("longest-wait", longest_wait, like="30s or 5m").total_seconds(),
    }
    settings = load_settings()
    remote = RemoteExport(
        address, settings.fencepost_sync_key, client_id=remote_client, timeout=silence.total_seconds()
    )
    with closing(remote), open_checked(settings) as databases, open_aside(skip_bad) as skipped:
        while True:
            seconds = 0.0 if pause is None else pause.total_seconds()
            try:
                _run(
                    Sync(databases=databases, remote=remote, by=COMMAND_LINE, skipped=skipped, **options),
                    skip_bad,
                    settings,
                )
            except (ServerFailed, DatabaseUnavailable) as error:
                if every is None:
                    raise
                seconds = max(seconds, getattr(error, "retry_after", 0))
                click.echo(f"{error} The next attempt is in {seconds:,.0f} s.", err=True)
            if every is None:
                return
            time.sleep(seconds)


def _run(sync: Sync, skip_bad: str | None, settings: Settings) -> None:
    """Pull once, and say on standard error what comes: a bar and a sum on a terminal, a line a window elsewhere."""
    host, pulled = sync.remote.host, list[Imported]()
    try:
        if sys.stderr.isatty():
            _run_with_bar(sync, pulled)
            click.echo(f"{host}: {_sum_up(pulled)}", err=True)
        else:
            for step in sync.run():
                if isinstance(step, Window):
                    pulled.append(step.imported)
                click.echo(_tell(step), err=True)
    finally:
        # Some of it holds for several windows, and all of it is said, also where the next window failed.
        for line in dict.fromkeys(line for imported in pulled for line in explain_import(host, imported, skip_bad)):
            click.echo(make_plain(line), err=True)
    new = [imported for imported in pulled if imported.inserted or imported.updated]
    if new and new[0].first is not None and new[-1].last is not None:
        click.echo(link_to_jobs(settings, sync.client_id, new[0].first, new[-1].last), err=True)


def _run_with_bar(sync: Sync, pulled: list[Imported]) -> None:
    """Show how far the time from `since` to now is pulled, how much has come, and what is waited for."""
    length, received = int((datetime.now(UTC) - sync.since).total_seconds()), 0
    with click.progressbar(length=length, label=sync.remote.host, show_eta=False, width=0, file=sys.stderr) as bar:

        def show(label: str) -> None:
            bar.label = label
            bar.render_progress()

        def advance(size: int) -> None:
            nonlocal received
            received += size
            show(f"{sync.remote.host}, {received / 1e6:,.0f} MB")

        sync.advance = advance
        for step in sync.run():
            if isinstance(step, Window):
                pulled.append(step.imported)
                bar.update(int((step.range.end - sync.since).total_seconds()) - bar.pos)
            else:
                show(_tell(step))


def _tell(step: Window | Pause) -> str:
    match step:
        case Window(bounds, imported):
            return f"{print_instant(bounds.start)} to {print_instant(bounds.end)}: {imported}"
        case Pause(reason, seconds):
            return f"{reason} Asking again in {seconds:,.1f} s."


def _sum_up(pulled: list[Imported]) -> str:
    jobs, changed = (sum(getattr(imported, name) for imported in pulled) for name in ("inserted", "updated"))
    return f"{count(jobs, 'new job')}, {changed:,} changed."
