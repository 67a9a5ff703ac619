"""Demo jobs: a service that one believes, on which something happens. The same arguments give the same rows.

Clients work on weekdays and by day, each on its own; prompts are checked by rules that give reasons, pictures by a
classifier that gives flags. In the weeks before the end there are a wave of nearly the same prompt from one client, a
rule that appears, and a day on which most logs are missing; one rule rejects wrongly all the time.
"""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from uuid import UUID

from core.intake.demo_texts import (
    LONGER,
    NEW_REASON,
    OTHER_PLACEHOLDER,
    OTHER_REASONS,
    PLACEHOLDERS,
    REASONS,
    REQUESTS,
    STYLES,
    SUBJECTS,
    WAVE,
    WRONG_REASON,
    WRONG_SUBJECTS,
)
from core.jobs.filter import Category

PERIOD = timedelta(days=120)
HOUR = timedelta(hours=1)
HOURS = PERIOD // HOUR
WEEK = timedelta(days=7) // HOUR

# Days before the end on which something happens.
WAVE_DAY, NEW_RULE_DAY, MISSING_LOGS_DAY = 9, 6, 4
WAVE_CLIENT = "demo-driftwood"

# What is rejected, and what should be: the check misses some of this, and rejects a little of the rest.
FORBIDDEN, MISSED, WRONGLY = 0.115, 0.06, 0.004

# Prompts are checked before anything is made of them; what comes out is looked at by a classifier.
CHECKED = ("prompt", "pre")

Job = tuple[UUID, str, str, str, bool | None, datetime, datetime | None, str | None, str | None]
Log = tuple[UUID, datetime, bool | None, bool | None, bool | None]
Flags = dict[Category, bool | None]


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job and its moderation logs, as rows of their tables."""

    job: Job
    logs: list[Log]


@dataclass(frozen=True, slots=True)
class Client:
    """A client: its part of all jobs, what it submits, at which hour of the day most, and how much at weekends."""

    name: str
    share: float
    types: dict[str, int]
    busiest: int
    weekend: float

    def weight(self, moment: datetime) -> float:
        """Say how many jobs an hour has beside the others of a week."""
        apart = abs((moment.hour - self.busiest + 12) % 24 - 12)
        weekend = self.weekend if moment.weekday() >= 5 else 1
        return self.share * weekend * (0.1 + ((12 - apart) / 12) ** 2)


CLIENTS = (
    Client("demo-atelier", 40, {"image": 45, "prompt": 35, "post": 15, "video": 5}, busiest=14, weekend=0.6),
    Client("demo-bluebird", 27, {"prompt": 80, "pre": 20}, busiest=19, weekend=1.4),
    Client("demo-cartograph", 18, {"pre": 50, "post": 50}, busiest=10, weekend=0.1),
    Client("demo-driftwood", 10, {"prompt": 60, "video": 40}, busiest=2, weekend=1.0),
    Client("demo-eastwind", 5, {"prompt": 50, "image": 30, "pre": 20}, busiest=9, weekend=0.3),
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, and what is true of it: the categories that it belongs to, or that it is forbidden otherwise."""

    text: str | None
    subject: str
    categories: frozenset[Category]
    is_forbidden: bool


def generate(jobs: int, *, seed: int, until: datetime) -> Iterator[DemoJob]:
    """Generate jobs of the 120 days before `until`, in about their order."""
    rng = random.Random(f"fencepost {seed}")
    start = until - PERIOD
    hours = [start + HOUR * hour for hour in range(HOURS)]
    # Each week is like the first.
    week = [[client.weight(hour) for client in CLIENTS] for hour in hours[:WEEK]]
    weights = [list(week[hour % WEEK]) for hour in range(HOURS)]
    wave = HOURS - 24 * WAVE_DAY + 15
    # A wave is one client's, within three hours: as many jobs as it has in three days.
    for hour, times in zip(range(wave, wave + 3), (1.0, 1.6, 0.6), strict=True):
        weights[hour][_wave_client()] += times * 18 * sum(map(sum, week)) / WEEK / 10
    ends = list(accumulate(map(sum, weights)))
    earlier: list[Prompt] = []
    for number in range(jobs):
        place = ends[-1] * (number + rng.random()) / jobs
        hour = min(bisect_right(ends, place), HOURS - 1)
        before = ends[hour - 1] if hour else 0.0
        created_at = hours[hour] + HOUR * ((place - before) / (ends[hour] - before))
        client = rng.choices(CLIENTS, weights[hour])[0]
        in_wave = wave <= hour < wave + 3 and client.name == WAVE_CLIENT
        created_at = min(created_at, until - timedelta(microseconds=1))
        yield _generate_job(rng, client, created_at, until, earlier, in_wave=in_wave)


@cache
def _wave_client() -> int:
    return [client.name for client in CLIENTS].index(WAVE_CLIENT)


def _generate_job(
    rng: random.Random, client: Client, created_at: datetime, until: datetime, earlier: list[Prompt], *, in_wave: bool
) -> DemoJob:
    job_id = UUID(int=rng.getrandbits(128), version=4)
    kind = "prompt" if in_wave else rng.choices(tuple(client.types), tuple(client.types.values()))[0]
    status = rng.choices(("completed", "failed", "processing", "queued"), (940, 30, 15, 15))[0]
    decided = status == "completed" or (status == "failed" and rng.random() < 0.2)
    took = timedelta(microseconds=rng.randrange(80_000, 9_000_000))
    completed_at = created_at + took if status in ("completed", "failed") else None
    prompt = _repeat_wave(rng) if in_wave else _generate_prompt(rng, earlier)
    days_left = (until - created_at) / timedelta(days=1)
    reason, logs = None, list[Log]()
    if kind in CHECKED:
        reason = _check(rng, prompt, days_left) if decided else None
        rejected = bool(reason)
    else:
        flags = _classify(rng, prompt)
        # Thresholds of decisions are others than those of flags, so a few of each do not fit.
        rejected = rng.random() < (0.96 if True in flags.values() else 0.5 if prompt.is_forbidden else 0)
        lost = 0.75 if MISSING_LOGS_DAY - 1 < days_left <= MISSING_LOGS_DAY else 0.02
        if completed_at is not None and rng.random() > lost:
            logs = _log(rng, job_id, completed_at, flags)
    job: Job = (
        *(job_id, client.name, kind, status, rejected if decided else None),
        *(created_at, completed_at, prompt.text, reason),
    )
    return DemoJob(job, logs)


def _check(rng: random.Random, prompt: Prompt, days_left: float) -> str | None:
    """Return the reason for which the check of prompts rejects one; now and then it says nothing of one that passes."""
    if prompt.subject in WRONG_SUBJECTS and rng.random() < 0.12:
        return WRONG_REASON
    if prompt.is_forbidden and rng.random() > MISSED:
        if prompt.categories:
            return REASONS[rng.choice(sorted(prompt.categories))]
        usual = OTHER_REASONS[0] if days_left > NEW_RULE_DAY else NEW_REASON
        return rng.choice((usual, OTHER_REASONS[1]))
    if rng.random() < WRONGLY:
        return OTHER_REASONS[0]
    return "" if rng.random() < 0.02 else None


def _classify(rng: random.Random, prompt: Prompt) -> Flags:
    """Flag what is true, but not always; now and then a category is not evaluated."""
    flags: Flags = {}
    for category in Category:
        chance = 1 - MISSED if category in prompt.categories else WRONGLY / 2
        flags[category] = None if rng.random() < 0.01 else rng.random() < chance
    return flags


def _log(rng: random.Random, job_id: UUID, completed_at: datetime, flags: Flags) -> list[Log]:
    """Log flags once, or twice where a later log corrects a first one."""
    adult, underage, nsfw = (flags[category] for category in Category)
    if rng.random() >= 0.06:
        return [(job_id, completed_at, adult, underage, nsfw)]
    later = completed_at + timedelta(seconds=rng.randrange(0, 3600))
    return [(job_id, completed_at, not adult, False, not nsfw), (job_id, later, adult, underage, nsfw)]


def _repeat_wave(rng: random.Random) -> Prompt:
    """Write what the wave says: about every third of its prompts is forbidden."""
    text = WAVE.format(number=rng.randrange(1, 400))
    if rng.random() < 0.35:
        return Prompt(f"{text} {OTHER_PLACEHOLDER}", "", frozenset(), is_forbidden=True)
    return Prompt(text, "", frozenset(), is_forbidden=False)


def _generate_prompt(rng: random.Random, earlier: list[Prompt]) -> Prompt:
    """Write a prompt; one in six is one that came before."""
    if earlier and rng.random() < 0.17:
        return rng.choice(earlier)
    subject = rng.choice(SUBJECTS)
    is_forbidden = rng.random() < FORBIDDEN
    shares = (0.45, 0.12, 0.5) if is_forbidden and rng.random() < 0.85 else (0, 0, 0)
    categories = frozenset(category for category, share in zip(Category, shares, strict=True) if rng.random() < share)
    text = None
    if rng.random() > 0.01:
        text = rng.choice(REQUESTS).format(subject=subject, style=rng.choice(STYLES))
        length = rng.random()
        if length > 0.45:
            text += " " + " ".join(rng.choices(LONGER, k=rng.randrange(1, 4)))
        if length > 0.998:
            text += "\n\n" + "\n".join(rng.choices(LONGER, k=rng.randrange(50, 400)))
        hints = [PLACEHOLDERS[category] for category in Category if category in categories]
        if is_forbidden:
            text = " ".join([text, *(hints or [OTHER_PLACEHOLDER])])
    prompt = Prompt(text, subject, categories, is_forbidden)
    # Enough to come back to, and flat in memory for any number of jobs.
    if len(earlier) < 500:
        earlier.append(prompt)
    else:
        earlier[rng.randrange(500)] = prompt
    return prompt
