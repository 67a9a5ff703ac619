"""Preferences are kept per person."""

from dataclasses import replace

import psycopg

from core.actor import DEMO_PERSON
from core.auth.preferences import keep_preference, read_preference
from core.db.databases import Databases


def test_a_preference_is_kept_for_its_person(databases: Databases, connection: psycopg.Connection) -> None:
    """What one has chosen is there the next time, for oneself only, and beside what was chosen before."""
    other = replace(DEMO_PERSON, name="user:other")

    keep_preference(databases.ours, DEMO_PERSON, "spreadsheet_safe", True)
    keep_preference(databases.ours, DEMO_PERSON, "size", 25)
    keep_preference(databases.ours, DEMO_PERSON, "spreadsheet_safe", False)

    assert read_preference(databases.ours, DEMO_PERSON, "spreadsheet_safe") is False
    assert read_preference(databases.ours, DEMO_PERSON, "size") == 25
    assert read_preference(databases.ours, other, "spreadsheet_safe") is None
    assert connection.execute("SELECT person FROM people").fetchall() == [("user:demo",)]
