"""`python -m core facts`: are the facts that are kept beside the jobs right, and fill them anew."""

import sys
import time

import click

from core.cli.runner import open_checked
from core.counts.fact_upkeep import are_complete, begin_anew, count_wrong, fill, keep_facts
from core.db.databases import Databases
from core.db.migrations.distributed import NONE_WHERE_DISTRIBUTED
from core.errors import NotPossible
from core.settings import load_settings

# Seconds between two looks at what another process fills.
PAUSE = 1


@click.group()
def facts() -> None:
    """Look after what is kept beside the jobs, so that filters of decisions and categories are quick."""


@facts.command("check")
def check() -> None:
    """Compare all facts with the jobs and their latest logs; exit code 1 where one is wrong."""
    with open_checked(load_settings()) as databases:
        _refuse_others(databases)
        with databases.ours.transaction(timeout=86_400) as connection:
            wrong, complete = count_wrong(connection), are_complete(connection)
    if wrong == 0 and complete:
        click.echo("All facts are right.")
        return
    state = "are in use" if complete else "are not filled yet, so that nothing uses them"
    click.echo(f"{wrong:,} {'fact is' if wrong == 1 else 'facts are'} missing or wrong. Facts {state}.")
    click.echo("`python -m core facts rebuild` fills them anew while the service runs.")
    sys.exit(1)


@facts.command("rebuild")
def rebuild() -> None:
    """Fill facts anew, a day of jobs at a time, while the service runs; one that was stopped goes on where it was.

    Until it is done, questions go to the jobs themselves.
    """
    with open_checked(load_settings()) as databases:
        _refuse_others(databases)
        with databases.ours.transaction() as connection:
            is_new = are_complete(connection)
        if is_new:
            begin_anew(databases.ours)
        while True:
            for day in fill(databases.ours):
                click.echo(f"Filled the day from {day}.", err=True)
            with databases.ours.transaction() as connection:
                if are_complete(connection):
                    break
            # A server fills them, too: what it has under way is not to be waited for in a transaction.
            time.sleep(PAUSE)
        keep_facts(databases.ours)
    click.echo("All facts are filled.", err=True)


def _refuse_others(databases: Databases) -> None:
    if not databases.jobs_are_ours:
        raise NotPossible("The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: look after them there.")
    if not databases.ours.has_facts():
        raise NotPossible(NONE_WHERE_DISTRIBUTED)
