"""How often each person's verdicts are right on jobs whose answer is settled, and whether that has become worse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import comb
from typing import Any

from sqlalchemy import Row, func, select

from core.actor import Actor
from core.db.databases import Databases
from core.db.schema import people
from core.gold.tables import gold_answers, gold_turns
from core.quality.estimates import Estimate, Stratum, estimate_share

# What is looked back at, and how many of a person's latest verdicts are held against those before.
_PERIOD = timedelta(days=365)
RECENT = 30

# Fewer than this on either side say nothing of a drop; and how seldom chance may bring one among all people.
FEWEST = 20
LEVEL = 0.05

# So many jobs that no number of verdicts comes near: what is asked for is how a person judges, not these jobs.
_ENDLESS = 10**12

# What somebody got wrong that is listed, the latest.
MOST_WRONG = 100


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often a person was right, of the firm verdicts; `unsure` are the others.

    `recent` and `before` are how many were right of how many, of the latest verdicts and of those before. `drop` is how
    likely chance alone would bring so few right ones lately, for all people together; None: there are too few to tell.
    """

    person: str
    address: str
    right: int
    judged: int
    unsure: int
    share: Estimate | None
    recent: tuple[int, int]
    before: tuple[int, int]
    drop: float | None = None

    @property
    def has_dropped(self) -> bool:
        return self.drop is not None and self.drop < LEVEL


def read_accuracy(databases: Databases, person: Actor | None = None) -> list[Accuracy]:
    """Read the accuracy of everybody who has met settled jobs in a year, by address; or of one person alone.

    Drops are tested by Fisher's exact test, one-sided, of a person's latest verdicts against their own before, and
    corrected by Holm for the number of people: the chance that any of them is called worse wrongly is 5 % at most.
    """
    query = (
        select(gold_turns.c.person, func.coalesce(people.c.address, gold_turns.c.person), gold_turns.c.is_right)
        .select_from(gold_turns.outerjoin(people, people.c.person == gold_turns.c.person))
        .where(gold_turns.c.verdict.is_not(None), gold_turns.c.judged_at > func.now() - _PERIOD)
        .order_by(gold_turns.c.judged_at.desc())
    )
    if person is not None:
        query = query.where(gold_turns.c.person == person.name)
    said: dict[tuple[str, str], list[bool | None]] = {}
    with databases.ours.transaction() as connection:
        for name, address, is_right in connection.execute(query):
            said.setdefault((name, address), []).append(is_right)
    found = [_measure(name, address, verdicts) for (name, address), verdicts in said.items()]
    return sorted(_correct(found), key=lambda one: (one.address, one.person))


def list_wrong(databases: Databases, person: Actor) -> Sequence[Row[Any]]:
    """List what a person got wrong in a year, the latest first: the job, what they said, and what the answer is."""
    query = (
        select(gold_turns, gold_answers.c.job_created_at)
        .join(gold_answers, gold_answers.c.job_id == gold_turns.c.job_id)
        .where(
            gold_turns.c.person == person.name,
            gold_turns.c.is_right.is_(False),
            gold_turns.c.judged_at > func.now() - _PERIOD,
        )
        .order_by(gold_turns.c.judged_at.desc())
        .limit(MOST_WRONG)
    )
    with databases.ours.transaction() as connection:
        return connection.execute(query).all()


def chance_of_so_few(recent: tuple[int, int], before: tuple[int, int]) -> float:
    """Return how likely so few right verdicts, or fewer, are among the recent ones if nothing has changed.

    Each is how many are right of how many. Fisher's exact test, one-sided.
    """
    (right, number), (other_right, other_number) = recent, before
    total, total_right = number + other_number, right + other_right
    least = max(0, number - (total - total_right))
    ways = sum(comb(total_right, few) * comb(total - total_right, number - few) for few in range(least, right + 1))
    return ways / comb(total, number)


def _measure(name: str, address: str, newest_first: Sequence[bool | None]) -> Accuracy:
    firm = [is_right for is_right in newest_first if is_right is not None]
    recent, before = firm[:RECENT], firm[RECENT:]
    share = estimate_share([Stratum(_ENDLESS, len(firm), sum(firm))]) if firm else None
    counted = (sum(recent), len(recent)), (sum(before), len(before))
    is_enough = min(len(recent), len(before)) >= FEWEST
    drop = chance_of_so_few(*counted) if is_enough else None
    return Accuracy(name, address, sum(firm), len(firm), len(newest_first) - len(firm), share, *counted, drop)


def _correct(found: Sequence[Accuracy]) -> list[Accuracy]:
    """Correct by Holm (1979): the smallest chance counts as often as there are people, the next once less."""
    tested = sorted((one for one in found if one.drop is not None), key=lambda one: one.drop or 0)
    corrected, least = {}, 0.0
    for place, one in enumerate(tested):
        least = max(least, min(1.0, (one.drop or 0) * (len(tested) - place)))
        corrected[one.person] = least
    return [replace(one, drop=corrected.get(one.person)) for one in found]
