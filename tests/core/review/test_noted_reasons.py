"""What is noted of reasons: marks by admins, each in the audit, and names of rules that were seen."""

from dataclasses import replace

import psycopg
import pytest

from core.actor import DEMO_PERSON, Forbidden, Scope
from core.db.databases import Databases
from core.jobs.access import NotedReasons
from core.review.noted_reasons import learn_rules, mark_underage, read_noted


def test_a_mark_is_set_and_taken_back_once(databases: Databases, connection: psycopg.Connection) -> None:
    """What changes nothing leaves no event; what does says which reason."""
    for is_underage in (False, True, True, False, False, True):
        mark_underage(databases, DEMO_PERSON, "a rule", is_underage=is_underage)

    assert read_noted(databases) == NotedReasons(underage=frozenset({"a rule"}))
    events = connection.execute("SELECT event, actor, details FROM audit_events ORDER BY seq").fetchall()
    assert events == [
        (event, "user:demo", {"reason": "a rule"}) for event in ("reason-marked", "reason-unmarked", "reason-marked")
    ]


def test_only_an_admin_marks(databases: Databases) -> None:
    """Without the scope nothing is noted."""
    reader = replace(DEMO_PERSON, scopes=frozenset({Scope.JOB_READ}))

    with pytest.raises(Forbidden, match="ask an administrator"):
        mark_underage(databases, reader, "a rule", is_underage=True)

    assert read_noted(databases) == NotedReasons()


def test_rules_are_told_where_the_jobs_are_elsewhere(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that were seen stay; where the database of the jobs keeps them itself these are not asked."""
    mark_underage(databases, DEMO_PERSON, "marked", is_underage=True)
    learn_rules(databases, ["seen", "marked"])
    learn_rules(databases, ["seen"])
    learn_rules(databases, [])

    assert read_noted(databases).rules == {"marked"}
    monkeypatch.setattr(databases.source, "_found_beside", frozenset())
    assert read_noted(databases) == NotedReasons(frozenset({"marked"}), frozenset({"seen", "marked"}))
