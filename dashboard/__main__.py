"""Serve dashboard and API in one process: `python -m dashboard`."""

import gc

from core.program import show_no_trace_while_loading

if __name__ == "__main__":
    # Nothing of what is loaded here is garbage, and to look for some takes a tenth of the start.
    gc.disable()
    show_no_trace_while_loading()

# isort: split

from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from streamlit import config
from streamlit.web import bootstrap
from streamlit.web.cli import configurator_options

from api.server import say, serve
from core.audit.heads import logging_heads
from core.cli.runner import open_checked, run_command
from core.cli.watchdog import until_told
from core.db.databases import Databases
from core.intake.demo import seed_if_empty
from core.served_port import noting_port
from core.settings import Settings, load_settings
from core.upkeep import upkeep
from core.webhooks.sender import sending
from dashboard.app import MAIN, check_configuration, create_app
from dashboard.server.websocket import BoundedWebSocket

# What `make run` shows on a fresh machine.
FIRST_JOBS = 50_000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@configurator_options
def main(**streamlit_options: Any) -> None:
    """Serve dashboard and API in one process.

    Streamlit's own options apply, as STREAMLIT_SERVER_PORT=3051 or as --server.port=3051.
    """
    settings = load_settings()
    # As `streamlit run` does, so that the configuration beside the pages is found (in the wheel it lies there).
    config._main_script_path = str(MAIN)
    bootstrap.load_config_options(streamlit_options)
    check_configuration(settings)
    with (
        until_told(),
        open_checked(settings) as databases,
        upkeep(databases, settings),
        sending(databases, settings),
    ):
        _seed_first_time(databases, settings)
        app = create_app(databases, settings)
        host, port = config.get_option("server.address") or "0.0.0.0", config.get_option("server.port")  # noqa: S104
        heads = logging_heads(databases)
        with noting_port(settings.fencepost_home, port):
            serve(
                app,
                host=host,
                port=port,
                meanwhile=heads,
                log_form=settings.fencepost_log,
                ws=BoundedWebSocket,
                # Nothing that comes is unpacked: of a few packed bytes anybody could make as many as they like.
                ws_per_message_deflate=False,
            )


def _seed_first_time(databases: Databases, settings: Settings) -> None:
    """Put demo jobs into an embedded database that is empty; any other is never seeded unasked."""
    if settings.embedded and settings.fencepost_demo and databases.jobs_are_ours:
        begin = partial(say, f"First start: making {FIRST_JOBS:,} demo jobs …", settings.fencepost_log)
        seed_if_empty(databases, FIRST_JOBS, until=datetime.now(UTC).replace(microsecond=0), begin=begin)


if __name__ == "__main__":
    gc.enable()
    run_command(main, "python -m dashboard")
