"""`python -m core keys`: make, list, rotate and revoke API keys."""

import click

from core.actor import COMMAND_LINE, KEY_SCOPES, Scope
from core.auth.api_keys import create_key, list_keys, revoke_key, rotate_key
from core.cli.output import echo_table
from core.cli.runner import open_checked
from core.cli.times import parse_day, parse_length
from core.errors import InvalidParameter
from core.instants import print_exact
from core.jobs.wall import Wall
from core.settings import load_settings


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys."""


@keys.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--client", metavar="ID", help="The client whose jobs the key sees.")
@click.option("--all-clients", is_flag=True, help="A staff key: it sees the jobs of all clients.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in KEY_SCOPES]),
    multiple=True,
    required=True,
    help="What the key may do; may be given several times.",
)
@click.option("--expires", metavar="ISO", help="When it ends, as 2027-01-01 or 2027-01-01T00:00:00Z.")
@click.option(
    "--network",
    "networks",
    metavar="CIDR",
    multiple=True,
    help="From where it opens, as 192.0.2.0/24; may be given several times. Without it: from anywhere.",
)
def create_key_command(
    name: str,
    client: str | None,
    all_clients: bool,
    scopes: tuple[str, ...],
    expires: str | None,
    networks: tuple[str, ...],
) -> None:
    """Print a new key, once, and nothing else."""
    if all_clients == (client is not None):
        raise click.UsageError("Give either --client ID or --all-clients.")
    if not all(map(str.strip, networks)):
        # A variable of the shell that was not set: without a network the key would open from anywhere.
        raise InvalidParameter("network is empty: name one, or leave it out.")
    expires_at = None if expires is None else parse_day("expires", expires)
    settings = load_settings()
    with open_checked(settings) as databases:
        create_key(
            databases,
            COMMAND_LINE,
            name=name,
            wall=Wall(client),
            scopes=frozenset(Scope(scope) for scope in scopes),
            expires_at=expires_at,
            networks=networks,
            longest=settings.longest_key,
            hand_over=click.echo,
        )


@keys.command("list")
def list_keys_command() -> None:
    """List all keys, without their secrets."""
    with open_checked(load_settings()) as databases:
        rows = list_keys(databases.ours)
    table = [
        (
            "KEY ID",
            "NAME",
            "CLIENT",
            "SCOPES",
            "STATE",
            "CREATED",
            "CREATED BY",
            "LAST USED",
            "EXPIRES",
            "REVOKED",
            "NETWORKS",
        ),
    ]
    for row in rows:
        created, used, expires, revoked = (
            print_exact(time)[:19] + "Z" if time else ""
            for time in (row.created_at, row.last_used_at, row.expires_at, row.revoked_at)
        )
        client, scopes, maker = row.client_id or "(all clients)", ",".join(row.scopes), row.address or row.created_by
        networks = ",".join(row.networks or ["(anywhere)"])
        table.append(
            (row.key_id, row.name, client, scopes, row.state, created, maker, used, expires, revoked, networks)
        )
    echo_table(table)


@keys.command("rotate", short_help="Print a new key that takes the place of another.")
@click.argument("key_id")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the old key still opens, as 0h, 24h or 7d; never longer than it would have.",
)
def rotate_key_command(key_id: str, overlap: str) -> None:
    """Print a new key that takes the place of KEY_ID, once, and nothing else."""
    length = parse_length("overlap", overlap, like="0h, 24h or 7d")
    settings = load_settings()
    with open_checked(settings) as databases:
        longest = settings.longest_key
        rotate_key(databases, COMMAND_LINE, key_id, overlap=length, longest=longest, hand_over=click.echo)


@keys.command("revoke")
@click.argument("key_id")
def revoke_key_command(key_id: str) -> None:
    """Revoke a key for good."""
    with open_checked(load_settings()) as databases:
        revoke_key(databases, COMMAND_LINE, key_id)
