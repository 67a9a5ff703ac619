"""`python -m core webhooks`: send what waits, where no server does."""

import threading

import click

from core.cli.runner import open_checked
from core.settings import load_settings
from core.webhooks.deliveries import State
from core.webhooks.sender import Sender


@click.group()
def webhooks() -> None:
    """Tell other services what was found out."""


@webhooks.command("deliver", short_help="Send the webhooks that wait.")
@click.option("--once", is_flag=True, help="Send what is due now and end; without it, go on for good.")
def deliver_command(once: bool) -> None:
    """Send the webhooks that wait, as every server does: several may, and each message is taken by one of them."""
    settings = load_settings()
    with open_checked(settings) as databases:
        sender = Sender(databases, settings)
        if not once:
            sender.run(threading.Event())
            return
        sent = sender.send_due()
    said = ", ".join(f"{sent[state]:,} {name}" for state, name in _NAMES.items())
    click.echo(f"{said}.", err=True)


_NAMES = {State.DELIVERED: "delivered", State.WAITING: "to be tried again", State.GIVEN_UP: "given up"}
