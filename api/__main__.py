"""Serve the API alone: `python -m api`."""

import gc

from core.program import show_no_trace_while_loading

if __name__ == "__main__":
    # Nothing of what is loaded here is garbage, and to look for some takes a tenth of the start.
    gc.disable()
    show_no_trace_while_loading()

# isort: split

import click

from api.request_log import RequestLog
from api.routes import Api
from api.server import serve
from api.services import create_services
from core.audit.heads import logging_heads
from core.cli.runner import open_checked, run_command
from core.cli.watchdog import until_told
from core.settings import load_settings
from core.upkeep import upkeep
from core.webhooks.sender import sending


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=3052, show_default=True)
def main(host: str, port: int) -> None:
    """Serve the API alone, for scale."""
    settings = load_settings()
    with (
        until_told(),
        open_checked(settings) as databases,
        upkeep(databases, settings),
        sending(databases, settings),
    ):
        app = RequestLog(Api(create_services(databases, settings)))
        serve(
            app,
            host=host,
            port=port,
            meanwhile=logging_heads(databases),
            log_form=settings.fencepost_log,
            lifespan="off",
            ws="none",
        )


if __name__ == "__main__":
    gc.enable()
    run_command(main, "python -m api")
