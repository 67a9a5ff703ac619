"""The command line: `python -m core`."""

from core.program import show_no_trace_while_loading

if __name__ == "__main__":
    show_no_trace_while_loading()

# isort: split

from importlib import import_module
from typing import Any

import click

from core.cli.runner import run_command
from core.program import VERSION

# Each command and where it stands: it is imported when it is asked for, because all of them take as long as the rest.
COMMANDS = {
    "audit": "core.cli.audit:audit",
    "check": "core.cli.check:check_command",
    "erase": "core.cli.keeping.erase:erase_command",
    "export": "core.cli.export:export",
    "facts": "core.cli.facts:facts",
    "hold": "core.cli.keeping.hold:hold",
    "import": "core.cli.import_files:import_command",
    "keys": "core.cli.access.keys:keys",
    "migrate": "core.cli.tables:migrate_command",
    "people": "core.cli.access.people:people",
    "reviews": "core.cli.export:reviews",
    "sample": "core.cli.sample:sample",
    "seed": "core.cli.tables:seed",
    "sync": "core.cli.sync:sync_command",
    "upkeep": "core.cli.keeping.upkeep:upkeep_command",
    "verify": "core.cli.export:verify",
    "webhooks": "core.cli.webhooks:webhooks",
}


class Program(click.Group):
    """A group of commands that stand at `places`, as `package.module:name`."""

    def __init__(self, *arguments: Any, places: dict[str, str], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Program, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="fencepost", message="%(prog)s %(version)s")
def main() -> None:
    """Fencepost on the command line: jobs in and out, receipts, keys, the audit and the tables."""


if __name__ == "__main__":
    run_command(main, "python -m core")
