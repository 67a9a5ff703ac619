"""How often reviewers err, as known jobs tell, and what figures are without that."""

from uuid import UUID

import psycopg
import pytest
from numpy.random import default_rng

from core.actor import Actor, Scope
from core.db.databases import Databases
from core.quality.answers import Answer, answer_sample
from core.quality.estimates import Stratum, correct_share, estimate_share
from core.quality.sentences import say_corrected, say_errors
from core.review.verdicts import Verdict
from tests.core.quality.test_answers import ANN, BOB, BY, EVERYBODY, draw_all, judge, judge_alike
from tests.core.quality.test_estimates import DESIGNS, DRAWN, ENDLESS, add_up, draw, pick
from tests.support.rows import insert_job

CAT = Actor("user:cat", EVERYBODY, frozenset({Scope.JOB_READ}))
ADMIN = Actor("user:boss", EVERYBODY, frozenset(Scope))


@pytest.fixture
def sample_id(databases: Databases, connection: psycopg.Connection) -> UUID:
    """A sample of twenty rejections and thirty passes: Ann judges half of it, and Bob and Cat a quarter each.

    They call six of the rejections wrong, and two of the passes.
    """
    jobs = [insert_job(connection, is_prohibited=number < 20) for number in range(50)]
    drawn = draw_all(databases)
    said: dict[tuple[Actor, Verdict], list[UUID]] = {}
    for number, job_id in enumerate(jobs):
        is_wrong = number < 6 or number in (20, 21)
        person = ANN if number % 2 else BOB if number % 4 else CAT
        said.setdefault((person, Verdict.OVERTURN if is_wrong else Verdict.AGREE), []).append(job_id)
    for (person, verdict), alike in said.items():
        judge_alike(databases, person, alike, verdict)
    return drawn


def meet_known(connection: psycopg.Connection, person: Actor, should_reject: bool, right: int, wrong: int) -> None:
    """Let somebody say so much of known jobs that is right, and so much that is wrong; once they are not sure."""
    connection.execute(
        "INSERT INTO gold_turns (person, job_id, should_reject, verdict, is_right, judged_at)"
        " SELECT %s, gen_random_uuid(), %s, 'agree', CASE WHEN number <= %s THEN true WHEN number <= %s THEN false END,"
        " now() FROM generate_series(1, %s) AS number",
        (person.name, should_reject, right, right + wrong, right + wrong + 1),
    )


def answer(databases: Databases, sample_id: UUID, told: Actor | None = None) -> Answer:
    return answer_sample(databases, sample_id, BY, told)


def test_figures_are_corrected_by_what_is_said_of_known_jobs(
    databases: Databases, connection: psycopg.Connection, sample_id: UUID
) -> None:
    """Each reviewer's rate counts as often as they have judged; shares, precision and recall are free of it then."""
    for person, right, wrong in ((ANN, 45, 5), (BOB, 10, 0), (CAT, 8, 2)):
        meet_known(connection, person, True, right, wrong)
    for person in (ANN, BOB, CAT):
        meet_known(connection, person, False, 19, 1)

    found = answer(databases, sample_id)

    # Ann has given 25 of the opinions, Bob 12 and Cat 13: five of fifty, none of ten, two of ten.
    passed, rejected = (25 * 0.1 + 13 * 0.2) / 50, 0.05
    assert found.errors.passed is not None
    assert found.errors.rejected is not None
    assert (found.errors.passed.share, found.errors.rejected.share) == pytest.approx((passed, rejected))
    assert found.errors.verdicts == (70, 60)
    told = 1 - passed - rejected
    wrong_rejections, wrong_passes = (6 / 20 - passed) / told, (2 / 30 - rejected) / told
    caught, missed = 20 * (1 - wrong_rejections), 30 * wrong_passes
    expected = [wrong_rejections, wrong_passes, 1 - wrong_rejections, caught / (caught + missed)]
    figures = [found.wrong_rejections, found.wrong_passes, found.precision, found.recall]
    for figure, share in zip(figures, expected, strict=True):
        assert figure.bounds is not None
        assert figure.corrected is not None
        assert figure.corrected.lower.share == figure.corrected.upper.share == pytest.approx(share)
        # All jobs were judged, and still it is not known how many of them are wrong.
        assert figure.bounds.high - figure.bounds.low < 0.001 < figure.corrected.high - figure.corrected.low
    assert say_corrected(figures[0]) == "Corrected for reviewers' errors 23.3% (with 95 % between 3.5% and 38.7%)."
    assert say_errors(found.errors).startswith("On known jobs those who have judged this passed 10.2% (")


@pytest.mark.parametrize(
    ("met", "why"),
    [
        ({}, "those who have judged this have met too few known jobs that should be rejected"),
        ({"user:ann": (50, 50), "user:bob": (50, 0), "user:cat": (50, 0)}, "too few known jobs that should pass"),
        ({"user:ann": (50, 50), "user:bob": (50, 50)}, "too few known jobs that should be rejected"),
    ],
    ids=["none", "passed ones alone", "not all people"],
)
def test_what_is_not_known_is_said(
    databases: Databases,
    connection: psycopg.Connection,
    sample_id: UUID,
    met: dict[str, tuple[int, int]],
    why: str,
) -> None:
    """Too few known jobs of a kind, or none by somebody who has judged a lot: nothing is corrected, and it says why."""
    for name, numbers in met.items():
        for way, number in zip((True, False), numbers, strict=True):
            meet_known(connection, Actor(name, EVERYBODY, frozenset()), way, number, 0)

    found = answer(databases, sample_id)

    assert why in found.errors.why_not
    assert found.wrong_rejections.corrected is found.recall.corrected is None
    assert say_corrected(found.wrong_rejections) == ""
    assert say_errors(found.errors) == f"Intervals are of chance in drawing alone. {found.errors.why_not}"


def test_jobs_with_two_opinions_are_not_corrected(
    databases: Databases, connection: psycopg.Connection, sample_id: UUID
) -> None:
    """There mistakes show as disagreement."""
    for person in (ANN, BOB, CAT):
        for way in (True, False):
            meet_known(connection, person, way, 20, 1)
    for job_id, *_ in connection.execute("SELECT job_id FROM reviews WHERE person = 'user:ann' LIMIT 3").fetchall():
        judge(databases, BOB, job_id, Verdict.AGREE)

    assert "show as disagreement" in answer(databases, sample_id).errors.why_not


def test_nobody_learns_how_often_another_person_errs(databases: Databases, connection: psycopg.Connection) -> None:
    """Where one or two have judged, rates are for admins, and for who has judged alone."""
    job_id = insert_job(connection, is_prohibited=True)
    sample_id = draw_all(databases)
    judge(databases, ANN, job_id, Verdict.AGREE)
    for way in (True, False):
        meet_known(connection, ANN, way, 30, 1)

    told = {
        person: answer(databases, sample_id, person).errors.passed is not None for person in (None, ANN, BOB, ADMIN)
    }

    assert told == {None: False, ANN: True, BOB: False, ADMIN: True}


def test_nothing_is_corrected_where_chance_would_say_as_much() -> None:
    """Whoever says so half of the time, whatever is true, has said nothing; and no share leaves 0 to 1."""
    half, none, few = (estimate_share([Stratum(ENDLESS, 400, hits)]) for hits in (200, 0, 80))
    assert half is not None
    assert none is not None
    assert few is not None

    assert correct_share(half, 100, half, half) is None
    found = correct_share(few, 100, half, none)
    assert found is not None
    assert (found.share, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("errs", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("design", ["one stratum", "strata without a hit", "one client has most", "nearly all judged"])
def test_corrected_intervals_hold_the_truth_as_often_as_they_say(design: str, errs: float) -> None:
    """Of 200 samples that were judged by people who err about 190 have an interval with the truth in it."""
    jobs, sizes, shares = DESIGNS[design]
    hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
    truth, random, held = sum(hits) / sum(jobs), default_rng(1), 0
    said = []
    for number, size, hit in zip(jobs, sizes, hits, strict=True):
        real = draw(random, number, hit, size)
        said.append(random.binomial(real, 1 - errs) + random.binomial(size - real, errs))
    known = [random.binomial(200, errs, DRAWN) for _ in range(2)]
    told = 1 - known[0] / 200 - known[1] / 200

    for place in pick((add_up(jobs, sizes, said) / sum(jobs) - known[0] / 200) / told):
        observed = estimate_share(
            [Stratum(number, size, int(hit[place])) for number, size, hit in zip(jobs, sizes, said, strict=True)]
        )
        one, other = (estimate_share([Stratum(ENDLESS, 200, int(wrong[place]))]) for wrong in known)
        assert observed is not None
        assert one is not None
        assert other is not None
        found = correct_share(observed, sum(jobs), one, other)
        assert found is not None
        held += found.low <= truth <= found.high

    assert 183 <= held <= 198
