"""The program `fencepost`: `serve`, `api`, and every command of `python -m core`."""

import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

HERE = Path(__file__).resolve().parent
# In the wheel the packages lie within this one, so that nothing named `core` lands among other people's packages.
PACKAGES = HERE / "app" if (HERE / "app").is_dir() else HERE.parent

# Imported when they are asked for: Streamlit alone takes a second.
SERVERS = {"serve": "dashboard.__main__", "api": "api.__main__"}


class Program(click.Group):
    """The commands of `core`, and beside them the servers."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *SERVERS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SERVERS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(SERVERS[cmd_name]).main
        return command


def main() -> NoReturn:
    """Run the command that the command line names, and exit as `python -m core` does."""
    sys.path.insert(0, str(PACKAGES))
    core = import_module("core.__main__").main
    program = Program(
        commands=core.commands, params=core.params, help=core.help, context_settings=core.context_settings
    )
    import_module("core.cli.runner").run_command(program, "fencepost")
    raise AssertionError("a command exits")


if __name__ == "__main__":
    main()
