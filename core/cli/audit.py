"""The audit on the command line: `python -m core audit …`."""

import click

from core.audit.chain import find_head, parse_head
from core.audit.verification import check_chain
from core.cli.runner import open_checked
from core.settings import load_settings


@click.group()
def audit() -> None:
    """Note the audit's head, and check that nobody has touched it."""


@audit.command("head")
def head_command() -> None:
    """Print SEQ:HASH of the last event, and nothing else. Note it elsewhere, for `verify --expect`."""
    with open_checked(load_settings()) as databases:
        click.echo(find_head(databases.ours))


@audit.command("verify", short_help="Check the whole chain.")
@click.option("--expect", metavar="SEQ:HASH", help="A head that was noted earlier; a tail cut before it is found.")
def verify_command(expect: str | None) -> None:
    """Check the whole chain; name the first row that was changed, removed or inserted."""
    expected = None if expect is None else parse_head(expect)
    with open_checked(load_settings()) as databases:
        click.echo(check_chain(databases, expected))
