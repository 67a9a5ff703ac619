"""The audit's head in the log of both servers."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from core.actor import COMMAND_LINE
from core.audit import heads
from core.audit.chain import find_head
from core.audit.events import Event, record
from core.audit.heads import logging_heads
from core.db.database import Database
from core.db.databases import Databases
from tests.support.servers import serving_dashboard
from tests.support.serving import serve_api
from tests.support.waiting import wait_for


def test_both_servers_log_the_head_when_they_start(databases: Databases, database_url: str, tmp_path: Path) -> None:
    """`python -m api` and `python -m dashboard` log `audit head SEQ:HASH`, and end when they are told to."""
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    line = f"fencepost.audit: audit head {find_head(databases.ours)}\n"

    with serve_api(database_url, tmp_path / "api.log") as api:
        wait_for(lambda: line in api.log(), "the head in the log of the API")
        api.process.terminate()
        assert api.process.wait(timeout=30) == 0
    with serving_dashboard(database_url, tmp_path) as dashboard:
        wait_for(lambda: line in dashboard.log, "the head in the log of the dashboard")

    assert "Traceback" not in dashboard.log


def test_the_head_is_logged_again_and_a_lost_database_is_survived(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time the head of that moment is logged; where the database is away a sentence says so, and no more."""
    monkeypatch.setattr(heads, "EVERY", 0.05)
    caplog.set_level(logging.INFO, "fencepost.audit")
    away = Database("DATABASE_URL", "postgresql://127.0.0.1:1/none", read_only=False, remedy="")

    with logging_heads(databases):
        wait_for(lambda: "audit head 0:" in caplog.text, "the head of the empty audit")
        record(databases, Event.KEY_REVOKED, COMMAND_LINE)
        wait_for(lambda: f"audit head {find_head(databases.ours)}" in caplog.text, "the head of the event")
    with logging_heads(replace(databases, ours=away)):
        wait_for(lambda: caplog.text.count("the audit's head could not be read") > 1, "the sentence, twice")
