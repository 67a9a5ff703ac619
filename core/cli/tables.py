"""`python -m core migrate` and `seed`: the tables, and demo jobs in them."""

from datetime import UTC, datetime

import click

from core.cli.output import progress_bar
from core.cli.runner import open_checked
from core.cli.times import parse_day
from core.db.migrations.distributed import NONE_WHERE_DISTRIBUTED
from core.db.startup import migrate
from core.errors import InvalidParameter
from core.intake.demo import seed_jobs
from core.intake.demo_jobs import PERIOD
from core.settings import load_settings


@click.command("migrate", short_help="Create or upgrade the tables.")
@click.option("--partitioned", is_flag=True, help="For a new database: jobs in a table for each month.")
@click.option("--distributed", is_flag=True, help="For a new database: jobs over the nodes of Citus.")
def migrate_command(partitioned: bool, distributed: bool) -> None:
    """Create or upgrade the tables; where jobs are in months, make those of the next year."""
    migrate(load_settings(), partitioned=partitioned, distribute=distributed)
    if distributed:
        click.echo(NONE_WHERE_DISTRIBUTED, err=True)


@click.command()
@click.option("--jobs", type=click.IntRange(min=1), required=True, help="How many jobs.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other numbers give other jobs.")
@click.option("--until", metavar="DATE", help="The end of the 120 days that they cover, as 2026-05-01 [default: now].")
def seed(jobs: int, seed: int, until: str | None) -> None:
    """Replace the demo jobs by new ones; refuse where other jobs exist."""
    end = datetime.now(UTC).replace(microsecond=0) if until is None else parse_day("until", until)
    # Jobs begin before that day and may be logged shortly after it.
    if not datetime.min.replace(tzinfo=UTC) + PERIOD < end < datetime.max.replace(tzinfo=UTC) - PERIOD:
        raise InvalidParameter("until is too far away: choose a day like 2026-05-01.")
    with open_checked(load_settings()) as databases, progress_bar(jobs, "Demo jobs") as advance:
        seed_jobs(databases, jobs, seed=seed, until=end, advance=advance)
    click.echo(f"{jobs:,} demo jobs from {(end - PERIOD).date()} to {end.date()}.", err=True)
