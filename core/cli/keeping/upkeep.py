"""`python -m core upkeep`: what is old is forgotten, as a server does each day."""

import click

from core.actor import COMMAND_LINE
from core.cli.output import echo_done
from core.cli.runner import open_checked
from core.keeping.forgetting import count_old, forget_old, read_clock
from core.settings import load_settings


@click.command("upkeep", short_help="Forget what is older than the settings say.")
@click.option("--dry-run", is_flag=True, help="Only say how many rows it would be.")
def upkeep_command(dry_run: bool) -> None:
    """Remove what is older than the settings FENCEPOST_KEEP_… say, as each server does once a day by itself.

    Where the tables belong to another role than the server's, their owner runs this for receipts, verdicts and audit.
    """
    settings = load_settings()
    with open_checked(settings) as databases:
        now = read_clock(databases.ours)
        if dry_run:
            for found in count_old(databases, settings, now):
                click.echo(str(found).replace(" removed.", " would be removed."))
            return
        for found in forget_old(databases, settings, COMMAND_LINE, now):
            echo_done(str(found))
