"""Demo jobs: deterministic, believable and harmless. Categories are only hinted at by neutral placeholders."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from psycopg import Connection
from sqlalchemy import text

from core.counts.by_day import count_ahead
from core.db.databases import Databases
from core.db.partitions import make_months, span
from core.errors import NotPossible
from core.jobs.filter import Category

PERIOD = timedelta(days=120)
PREFIX = "demo-"

CLIENTS = ("demo-atelier", "demo-bluebird", "demo-cartograph", "demo-driftwood", "demo-eastwind")
CLIENT_WEIGHTS = (40, 25, 18, 12, 5)
TYPES = ("prompt", "pre", "post", "image", "video")
TYPE_WEIGHTS = (45, 20, 15, 15, 5)

# Jobs a COPY: few enough to stay flat in memory.
BATCH = 5_000

# About one decided job in eight is rejected.
REJECTED_SHARE = 0.125

SUBJECTS = (
    *("a lighthouse at dawn", "a city made of paper", "an old library", "a fox in the snow", "a market in the rain"),
    *("a small robot gardener", "mountains above the clouds", "a kitchen in the morning", "two chairs by a window"),
    *("a train through autumn woods", "a harbour full of boats", "a map of an island", "a clock without hands"),
)
STYLES = (
    *("as a watercolour", "in pencil, 30 × 40 cm", 'in the style called "flat design"', "as a woodcut, two colours"),
    *("photographed on film", "for a children's book", "as a poster", "in soft light, wide angle", "pixel by pixel"),
)
REQUESTS = (
    *("Write a short story about {subject}.", "Draw {subject} {style}.", "Describe {subject} in one sentence."),
    *("Please draw {subject}, {style}; no text.", 'Caption for a picture: "{subject}"', "{subject}, {style}, 4k"),
    *("Make a list of ten names for {subject}:\n1.\n2.\n3.", "Translate into French:\r\n{subject}"),
    *("=HYPERLINK of {subject}", "@team: draw {subject}", "+1 for {subject}", "- {subject}\n- {style}"),
    *("🦊🌲 {subject} {style} ✨", "ارسم منارة عند الفجر ({subject})", "צייר מפה של אי: {subject}"),
    *("日本の庭園、{subject}", "Ein Bild von „{subject}“ – schön groß", "É possível desenhar {subject}?"),
)
LONGER = (
    "The light should come from the left, and nothing in the picture may look new.",
    'Somebody in the background says "good morning", but nobody answers.',
    "Use no more than four colours; leave the lower third empty.",
    "The scene is quiet, the season is late autumn, the mood is calm.",
)
PLACEHOLDERS = {
    Category.AI_ADULT_GENERAL: "[placeholder: text that a moderator would call adult content]",
    Category.UNDERAGE: "[placeholder: text that a moderator would call underage]",
    Category.NSFW: "[placeholder: text that a moderator would call not safe for work]",
}
REASONS = {
    Category.AI_ADULT_GENERAL: "Category: AI adult content, general",
    Category.UNDERAGE: "Category: underage",
    Category.NSFW: "Category: not safe for work",
}
OTHER_REASONS = ("Blocked term, list 7", 'Policy "impersonation", section 2', "Prompt injection, suspected")

JOB_COLUMNS = "job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason"
LOG_COLUMNS = "job_id, created_at, category_ai_adult_general, category_underage, category_nsfw"

Job = tuple[UUID, str, str, str, bool | None, datetime, datetime | None, str | None, str | None]
Log = tuple[UUID, datetime, bool | None, bool | None, bool | None]


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job and its moderation logs, as rows of their tables."""

    job: Job
    logs: list[Log]


def generate(jobs: int, *, seed: int, until: datetime) -> Iterator[DemoJob]:
    """Generate jobs of the 120 days before `until`. The same arguments give the same rows."""
    rng = random.Random(f"fencepost {seed}")
    prompts: list[str] = []
    for number in range(jobs):
        # Spread over the period, each in its own slot, so that rows arrive in about the order of the index.
        created_at = until - PERIOD + PERIOD * ((number + rng.random()) / jobs)
        created_at = min(created_at, until - timedelta(microseconds=1))
        yield _generate_job(rng, created_at, prompts)


def seed_jobs(
    databases: Databases, jobs: int, *, seed: int, until: datetime, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Replace all demo jobs by new ones, all or nothing. `advance` hears how many more jobs were sent.

    Raises `NotPossible` where other jobs exist, or where the jobs belong to somebody else.
    """
    if not databases.jobs_are_ours:
        raise NotPossible("The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: unset it to seed.")
    make_months(databases.ours.transaction, span(until - PERIOD, until))
    with databases.ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
        others = connection.execute(
            text("SELECT EXISTS (SELECT FROM jobs WHERE NOT starts_with(client_id, :prefix))"), {"prefix": PREFIX}
        )
        if others.scalar_one():
            raise NotPossible("There are jobs that are no demo jobs: seed only an empty database.")
        connection.execute(text("TRUNCATE jobs, moderation_logs RESTART IDENTITY"))
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        for batch in _batches(generate(jobs, seed=seed, until=until)):
            with driver.cursor() as cursor:
                with cursor.copy(f"COPY jobs ({JOB_COLUMNS}) FROM STDIN") as copy:
                    for demo_job in batch:
                        copy.write_row(demo_job.job)
                with cursor.copy(f"COPY moderation_logs ({LOG_COLUMNS}) FROM STDIN") as copy:
                    for demo_job in batch:
                        for row in demo_job.logs:
                            copy.write_row(row)
            advance(len(batch))
    count_ahead(databases.ours)
    # What PostgreSQL would do by itself after a while: it lets exports read logs from their index alone.
    databases.ours.vacuum("jobs", "moderation_logs", "breakdown_counts", "breakdown_changes")


def _batches(rows: Iterator[DemoJob]) -> Iterator[list[DemoJob]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def has_jobs(databases: Databases) -> bool:
    """Tell whether there is any job."""
    with databases.source.transaction() as connection:
        return bool(connection.execute(text("SELECT EXISTS (SELECT FROM jobs)")).scalar_one())


def _generate_job(rng: random.Random, created_at: datetime, prompts: list[str]) -> DemoJob:
    job_id = UUID(int=rng.getrandbits(128), version=4)
    client_id = rng.choices(CLIENTS, CLIENT_WEIGHTS)[0]
    kind = rng.choices(TYPES, TYPE_WEIGHTS)[0]
    status = rng.choices(("completed", "failed", "processing", "queued"), (93, 3, 2, 2))[0]
    decided = status == "completed" or (status == "failed" and rng.random() < 0.2)
    rejected = decided and rng.random() < REJECTED_SHARE
    took = timedelta(microseconds=rng.randrange(80_000, 9_000_000))
    completed_at = created_at + took if status in ("completed", "failed") else None
    flags = _generate_flags(rng, rejected=rejected)
    reason = None
    if rejected:
        raised = [category for category in Category if flags[category]]
        reason = REASONS[rng.choice(raised)] if raised else rng.choice(OTHER_REASONS)
    elif decided and rng.random() < 0.02:
        reason = ""
    prompt = _generate_prompt(rng, flags, prompts) if rng.random() > 0.01 else None
    logs = []
    if completed_at is not None and rng.random() > 0.04:
        if rng.random() < 0.06:
            # A first opinion that a later log corrects.
            logs.append(_log(job_id, completed_at, _generate_flags(rng, rejected=not rejected)))
            later = completed_at + timedelta(seconds=rng.randrange(0, 3600))
            logs.append(_log(job_id, later, flags))
        else:
            logs.append(_log(job_id, completed_at, flags))
    job: Job = (
        *(job_id, client_id, kind, status, rejected if decided else None),
        *(created_at, completed_at, prompt, reason),
    )
    return DemoJob(job, logs)


def _log(job_id: UUID, created_at: datetime, flags: dict[Category, bool | None]) -> Log:
    adult, underage, nsfw = (flags[category] for category in Category)
    return (job_id, created_at, adult, underage, nsfw)


def _generate_flags(rng: random.Random, *, rejected: bool) -> dict[Category, bool | None]:
    """Flags go with rejection, but not always; now and then a category was not evaluated."""
    share = (0.55, 0.15, 0.6) if rejected else (0.01, 0.002, 0.015)
    return {
        category: None if rng.random() < 0.01 else rng.random() < chance
        for category, chance in zip(Category, share, strict=True)
    }


def _generate_prompt(rng: random.Random, flags: dict[Category, bool | None], earlier: list[str]) -> str:
    """Write a prompt; one in six is one that came before."""
    if earlier and rng.random() < 0.17:
        return rng.choice(earlier)
    prompt = rng.choice(REQUESTS).format(subject=rng.choice(SUBJECTS), style=rng.choice(STYLES))
    length = rng.random()
    if length > 0.45:
        prompt += " " + " ".join(rng.choices(LONGER, k=rng.randrange(1, 4)))
    if length > 0.998:
        prompt += "\n\n" + "\n".join(rng.choices(LONGER, k=rng.randrange(50, 400)))
    for category, raised in flags.items():
        if raised:
            prompt += f" {PLACEHOLDERS[category]}"
    # Enough to come back to, and flat in memory for any number of jobs.
    if len(earlier) < 500:
        earlier.append(prompt)
    else:
        earlier[rng.randrange(500)] = prompt
    return prompt
