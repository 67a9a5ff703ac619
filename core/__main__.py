"""The command line: `python -m core`."""

import click

from core.cli.access.keys import keys
from core.cli.access.people import people
from core.cli.audit import audit
from core.cli.check import check_command
from core.cli.export import export, reviews, verify
from core.cli.facts import facts
from core.cli.import_files import import_command
from core.cli.keeping.erase import erase_command
from core.cli.keeping.hold import hold
from core.cli.keeping.upkeep import upkeep_command
from core.cli.runner import run_command
from core.cli.sample import sample
from core.cli.sync import sync_command
from core.cli.tables import migrate_command, seed
from core.cli.webhooks import webhooks
from core.program import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="fencepost", message="%(prog)s %(version)s")
def main() -> None:
    """Fencepost on the command line: jobs in and out, receipts, keys, the audit and the tables."""


for command in (
    *(audit, check_command, import_command, sync_command),
    *(migrate_command, seed, facts, keys, people, export, verify, reviews, sample),
    *(upkeep_command, erase_command, hold, webhooks),
):
    main.add_command(command)


if __name__ == "__main__":
    run_command(main, "python -m core")
