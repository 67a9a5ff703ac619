"""`python -m core hold`: place, list and end holds, under which nothing is erased."""

from uuid import UUID

import click

from core.actor import COMMAND_LINE
from core.cli.runner import make_plain, open_checked
from core.cli.times import parse_day
from core.instants import print_instant
from core.keeping.holds import Held, end_hold, list_holds, place_hold
from core.settings import load_settings


@click.group()
def hold() -> None:
    """Keep jobs from being erased for now: of a client, of a time, or one job."""


@hold.command("add")
@click.option("--client", "client_id", metavar="ID", help="The client whose jobs are held.")
@click.option("--job", "job_id", type=click.UUID, metavar="ID", help="The job that is held.")
@click.option("--from", "start", metavar="DATE", help="Jobs that were created from then on, as 2026-05-01.")
@click.option("--to", "end", metavar="DATE", help="Jobs that were created before then.")
@click.option("--reason", required=True, help="Why they are held; it stands in the audit.")
def add_command(client_id: str | None, job_id: UUID | None, start: str | None, end: str | None, reason: str) -> None:
    """Print the id of a new hold. Of several options all must be true of a job that is held."""
    created_from, created_to = (
        None if value is None else parse_day(name, value) for name, value in (("from", start), ("to", end))
    )
    held = Held(client_id, job_id, created_from, created_to)
    with open_checked(load_settings()) as databases:
        place_hold(databases, COMMAND_LINE, held, reason, hand_over=click.echo)


@hold.command("list")
@click.option("--ended", is_flag=True, help="Also those that have ended.")
def list_command(ended: bool) -> None:
    """List the holds that are in force."""
    with open_checked(load_settings()) as databases:
        rows = list_holds(databases, ended=ended)
    for row in rows:
        what = [f"client {row.client_id}"] if row.client_id is not None else []
        what += [f"job {row.job_id}"] if row.job_id is not None else []
        if row.created_from is not None:
            what.append(f"from {print_instant(row.created_from)} to {print_instant(row.created_to)}")
        state = "" if row.ended_at is None else f", ended {print_instant(row.ended_at)} by {row.ended_by}"
        placed = f"since {print_instant(row.placed_at)} by {row.placed_by}{state}"
        click.echo(make_plain(f"{row.hold_id} {', '.join(what)}, {placed}: {row.reason}"))


@hold.command("end")
@click.argument("hold_id", type=click.UUID)
def end_command(hold_id: UUID) -> None:
    """End a hold."""
    with open_checked(load_settings()) as databases:
        end_hold(databases, COMMAND_LINE, hold_id)
