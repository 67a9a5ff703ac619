"""`python -m core people`: list, give and take the rights of people."""

import click

from core.actor import COMMAND_LINE, Scope
from core.auth.rights import (
    GIVEN_SCOPES,
    Holder,
    Rights,
    give_rights,
    holder_of,
    list_rights,
    parse_holder,
    take_rights,
)
from core.cli.output import echo_table
from core.cli.runner import open_checked
from core.instants import print_exact
from core.settings import load_settings


@click.group()
def people() -> None:
    """List, give and take the rights of people, beside the lists of the settings."""


@people.command("list")
def list_people_command() -> None:
    """List the rights that were given."""
    with open_checked(load_settings()) as databases:
        rows = list_rights(databases, COMMAND_LINE)
    table = [("WHO", "MAY", "CLIENTS", "GIVEN", "GIVEN BY")]
    for row in rows:
        clients = "(all clients)" if row.clients is None else ",".join(row.clients)
        given = print_exact(row.given_at)[:19] + "Z"
        table.append((str(holder_of(row)), ",".join(row.scopes), clients, given, row.address or row.given_by))
    echo_table(table)


@people.command("give")
@click.argument("who", required=False)
@click.option("--group", help="A group of the provider, in place of WHO.")
@click.option("--provider", default="", help="Who says so, where people sign in with several providers.")
@click.option("--client", "clients", metavar="ID", multiple=True, help="For this client; may be given several times.")
@click.option("--all-clients", is_flag=True, help="For all clients.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in GIVEN_SCOPES]),
    multiple=True,
    required=True,
    help="What they may do; may be given several times.",
)
def give_command(
    who: str | None,
    group: str | None,
    provider: str,
    clients: tuple[str, ...],
    all_clients: bool,
    scopes: tuple[str, ...],
) -> None:
    """Give rights to WHO, an address or @domain, in the place of those given before."""
    holder = _read_holder(who, group, provider)
    if all_clients == bool(clients):
        raise click.UsageError("Give either --client ID or --all-clients.")
    given = Rights(frozenset(map(Scope, scopes)), None if all_clients else frozenset(clients))
    with open_checked(load_settings()) as databases:
        give_rights(databases, COMMAND_LINE, holder, given)


@people.command("take")
@click.argument("who", required=False)
@click.option("--group", help="A group of the provider, in place of WHO.")
@click.option("--provider", default="", help="Who says so, where people sign in with several providers.")
def take_command(who: str | None, group: str | None, provider: str) -> None:
    """Take from WHO what was given to them; what the settings list stays."""
    holder = _read_holder(who, group, provider)
    with open_checked(load_settings()) as databases:
        take_rights(databases, COMMAND_LINE, holder)


def _read_holder(who: str | None, group: str | None, provider: str) -> Holder:
    if (who is None) == (group is None):
        raise click.UsageError("Give either WHO or --group.")
    return parse_holder(who or group or "", is_group=group is not None, provider=provider)
