"""How often people are right on settled jobs, and when somebody has become worse."""

from collections.abc import Sequence
from uuid import UUID

import psycopg
import pytest

from core.db.databases import Databases
from core.gold.accuracy import chance_of_so_few, list_wrong, read_accuracy
from tests.core.review.test_verdicts import ANN


def answer(connection: psycopg.Connection, person: str, right: Sequence[bool | None]) -> None:
    """Let somebody answer, the latest first."""
    for place, is_right in enumerate(right):
        connection.execute(
            "INSERT INTO gold_turns (person, job_id, should_reject, verdict, is_right, judged_at)"
            " VALUES (%s, gen_random_uuid(), true, %s, %s, now() - %s * interval '1 hour')",
            (person, "unsure" if is_right is None else "agree", is_right, place),
        )


# SciPy 1.17.1 gave them, by fisher_exact(…, alternative="less"): to import it takes longer than all tests of this file.
@pytest.mark.parametrize(
    ("recent", "before", "chance"),
    [
        ((20, 30), (95, 100), 0.000147328764181908),
        ((0, 30), (30, 30), 8.455616946072368e-18),
        ((30, 30), (1, 40), 1.0),
        ((7, 20), (9, 20), 0.3737636412831073),
    ],
)
def test_the_chance_is_fishers(recent: tuple[int, int], before: tuple[int, int], chance: float) -> None:
    """It is what SciPy says of the same table."""
    assert chance_of_so_few(recent, before) == pytest.approx(chance, rel=1e-9, abs=0)


def test_each_person_has_a_share_and_a_drop_is_more_than_chance(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Unsure counts in neither; a drop is told of whom it is more than chance, for all tested people together."""
    connection.execute("INSERT INTO people (person, address) VALUES ('user:ann', 'ann@example.com')")
    answer(connection, "user:ann", [True, None, False, True])
    answer(connection, "user:ben", [False] * 15 + [True] * 115)
    # What alone would be a drop is none where three people are tested.
    answer(connection, "user:cy", [False] * 4 + [True] * 66)
    answer(connection, "user:dan", [False, True] * 40)

    found = {one.person: one for one in read_accuracy(databases)}
    (own,) = read_accuracy(databases, ANN)

    assert (own.address, own.right, own.judged, own.unsure, own.drop) == ("ann@example.com", 2, 3, 1, None)
    assert own.share is not None
    assert (own.share.low, own.share.high) == pytest.approx((0.1767, 0.9613), abs=0.01)
    assert (found["user:ben"].recent, found["user:ben"].before) == ((15, 30), (100, 100))
    assert [name for name, one in found.items() if one.has_dropped] == ["user:ben"]
    alone = chance_of_so_few(found["user:cy"].recent, found["user:cy"].before)
    assert alone < 0.05
    assert found["user:cy"].drop == pytest.approx(2 * alone)
    assert found["user:dan"].drop == pytest.approx(chance_of_so_few((15, 30), (25, 50)))


def test_what_one_got_wrong_is_listed(databases: Databases, connection: psycopg.Connection) -> None:
    """One's own alone, the latest first."""
    answer(connection, "user:ann", [False, True, False])
    answer(connection, "user:ben", [False])
    connection.execute(
        "INSERT INTO gold_answers SELECT job_id, 'acme', '2026-04-15Z', true FROM gold_turns ORDER BY job_id"
    )

    wrong = [row.job_id for row in list_wrong(databases, ANN)]

    expected: list[tuple[UUID]] = connection.execute(
        "SELECT job_id FROM gold_turns WHERE person = 'user:ann' AND NOT is_right ORDER BY judged_at DESC"
    ).fetchall()
    assert wrong == [job_id for (job_id,) in expected]
    assert len(wrong) == 2
