"""Reviews: what people make of the decisions of moderation. A verdict never changes a job or its export."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, and_, exists, func, insert, select, text, update

from core.actor import Actor
from core.audit.events import Event, append
from core.characters import make_storable
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import people, policies, review_drafts, reviews
from core.errors import InvalidParameter
from core.gold.answers import settle
from core.gold.turns import find_turn, note_verdict, take_back_turn
from core.jobs.filter import Category
from core.metrics.registry import REVIEWS
from core.policy.outdated import COUNTS, counts
from core.policy.texts import find_version, lock_policy
from core.review.drafts import LONGEST_NOTE, are_erased, attempt_of, draft_of, hold_off_erasing
from core.review.finished_samples import finish_judged
from core.review.needs import check_needs
from core.webhooks.events import Message, WebhookEvent
from core.webhooks.outbox import put_out


class Verdict(StrEnum):
    """What somebody makes of a decision: it is right, it should be the opposite, or others should look at it."""

    AGREE = "agree"
    OVERTURN = "overturn"
    UNSURE = "unsure"
    ESCALATE = "escalate"


# A verdict that says what is right, and whether by it the job should be rejected. Two people who judge a job before and
# after its decision was changed agree by different verdicts.
IS_FIRM = reviews.c.verdict.in_((Verdict.AGREE.value, Verdict.OVERTURN.value))
WOULD_REJECT = reviews.c.is_prohibited == (reviews.c.verdict == Verdict.AGREE.value)


# What other services may be told of.
_TOLD = {Verdict.OVERTURN: WebhookEvent.REVIEW_OVERTURNED, Verdict.ESCALATE: WebhookEvent.REVIEW_ESCALATED}


@dataclass(frozen=True, slots=True)
class Review:
    """A verdict, the categories that the reviewer would set (None: nothing said), and a note.

    `saw_text` says whether the prompt was shown to the reviewer (None: not known), `policy` which version of the policy
    was (0: there was none; None: whatever applies when it is recorded), and `queue` in which shared queue or sample the
    verdict was given.
    """

    verdict: Verdict
    categories: frozenset[Category] | None = None
    note: str = ""
    saw_text: bool | None = None
    policy: int | None = None
    queue: UUID | None = None


_CHANGED = (
    "Your verdict on this job has changed in another window meanwhile, and what counts now is shown here: "
    "go on, or give this one all the same to replace it."
)


class ChangedMeanwhile(InvalidParameter):
    """One's own verdict is another one than was on screen: somebody has two windows open."""


class PolicyChanged(ChangedMeanwhile):
    """Verdicts under the policy that was on screen do not count any more."""


def record_review(
    databases: Databases, by: Actor, jobs: Sequence[Row[Any]], review: Review, *, shown: frozenset[UUID] | None = None
) -> UUID:
    """Record one verdict on decided jobs, all or nothing, together with its event; return the id of the act.

    It supersedes the person's own earlier verdicts on these jobs. Where the first job was given to them because its
    answer is settled, the verdict on it is kept apart and is no review. Raises `InvalidParameter` where the note is
    missing or too long, the queue asks for more, or a job has no decision that could be reviewed; `ChangedMeanwhile`
    where the act whose verdict of one's own counts for the first job is none that was `shown` (None: whatever was); and
    `PolicyChanged`.
    """
    note = _check_note(review)
    if not jobs or any(job.is_prohibited is None for job in jobs):
        raise InvalidParameter("Only a decided job can be reviewed: wait for its decision.")
    act_id = uuid4()
    categories = None if review.categories is None else [item.value for item in Category if item in review.categories]
    values = {
        "act_id": act_id,
        "person": by.name,
        "verdict": review.verdict.value,
        "categories": categories,
        "note": note,
        "saw_text": review.saw_text,
        "queue_id": review.queue,
    }
    details = {"verdict": review.verdict.value, "categories": categories, "jobs": len(jobs), "act": str(act_id)}
    if review.queue is not None:
        details["queue"] = str(review.queue)
    if review.saw_text is False:
        details["text"] = False
    ids = [job.job_id for job in jobs]
    with databases.ours.transaction() as connection:
        _refuse_erased(connection, ids)
        if review.queue is not None:
            check_needs(connection, review.queue, has_note=note is not None, says_categories=categories is not None)
        # By itself: where the process ends before the verdict is recorded, its person is told.
        connection.execute(attempt_of(by, ids[0], note or "", review.verdict.value, categories))
    with databases.ours.transaction() as connection:
        _serialise(connection, by)
        _refuse_erased(connection, ids)
        values["policy_version"] = _find_policy(connection, review)
        turn = find_turn(connection, by, ids[0])
        if turn is not None:
            if shown is not None and shown != ({turn.act_id} - {None}):
                raise ChangedMeanwhile(_CHANGED)
            note_verdict(connection, turn, _would_reject(jobs[0], review), values)
            details["known"] = True
            shown, jobs = None, jobs[1:]
        superseded = connection.execute(
            update(reviews)
            .where(
                reviews.c.person == by.name,
                reviews.c.superseded_at.is_(None),
                reviews.c.job_id == func.any([job.job_id for job in jobs]),
            )
            .values(superseded_at=func.clock_timestamp())
            .returning(reviews.c.job_id, reviews.c.review_id, reviews.c.act_id)
        ).all()
        if shown is not None and shown != {row.act_id for row in superseded if row.job_id == ids[0]}:
            raise ChangedMeanwhile(_CHANGED)
        before = {row.job_id: row.review_id for row in superseded}
        if jobs:
            recorded = connection.execute(
                insert(reviews).returning(*reviews.c),
                [_remember(job) | values | {"supersedes": before.get(job.job_id)} for job in jobs],
            ).all()
            if review.verdict in _TOLD:
                put_out(connection, [_tell(_TOLD[review.verdict], row) for row in recorded])
            settle(connection, by, [job.job_id for job in jobs])
            finish_judged(connection, [job.job_id for job in jobs])
        connection.execute(
            update(review_drafts)
            .where(review_drafts.c.person == by.name, review_drafts.c.job_id == func.any(ids))
            .values(note="", verdict=None, categories=None)
        )
        append(
            connection,
            databases.audit_key,
            Event.REVIEWED,
            by,
            subject=str(ids[0]),
            details=details,
        )
    REVIEWS.labels(review.verdict.value).inc(len(ids))
    return act_id


def take_back(databases: Databases, by: Actor, act_id: UUID) -> int:
    """Take back an act of one's own that still counts, with its event; return for how many jobs.

    What the person had said about these jobs before counts again, as a new row: history only grows. The note is a
    draft again, of the job that the act began with.
    """
    mine = and_(reviews.c.act_id == act_id, reviews.c.person == by.name, reviews.c.superseded_at.is_(None))
    with databases.ours.transaction() as connection:
        _serialise(connection, by)
        hold_off_erasing(connection)
        taken = connection.execute(
            update(reviews)
            .where(mine)
            .values(superseded_at=func.clock_timestamp())
            .returning(reviews.c.review_id, reviews.c.job_id, reviews.c.supersedes, reviews.c.note)
        ).all()
        known = take_back_turn(connection, by, act_id)
        if not taken and not known:
            return 0
        connection.execute(_repeat([row.supersedes for row in taken if row.supersedes is not None]))
        if taken:
            settle(connection, by, [row.job_id for row in taken])
        first = min(taken, key=lambda row: row.review_id) if not known else known[0]
        connection.execute(draft_of(by, first.job_id, first.note or ""))
        append(
            connection,
            databases.audit_key,
            Event.REVIEW_TAKEN_BACK,
            by,
            subject=str(first.job_id),
            details={"jobs": len(taken) + len(known), "act": str(act_id)},
        )
    return len(taken) + len(known)


def find_own(database: Database, person: Actor, job_id: UUID) -> Row[Any] | None:
    """Return one's own current verdict on a job, or None."""
    query = select(reviews).where(
        reviews.c.job_id == job_id, reviews.c.person == person.name, reviews.c.superseded_at.is_(None)
    )
    with database.transaction() as connection:
        turn = find_turn(connection, person, job_id)
        if turn is not None:
            return turn if turn.verdict is not None else None
        return connection.execute(query).one_or_none()


def find_last(database: Database, person: Actor, job_id: UUID) -> Row[Any] | None:
    """Return the last that a person has said about a job, also where they took it back, or None."""
    query = select(reviews).where(reviews.c.job_id == job_id, reviews.c.person == person.name)
    with database.transaction() as connection:
        turn = find_turn(connection, person, job_id)
        if turn is not None:
            return turn if turn.verdict is not None else None
        return connection.execute(query.order_by(reviews.c.review_id.desc()).limit(1)).one_or_none()


def list_others(database: Database, person: Actor, job_id: UUID) -> list[Row[Any]]:
    """List the current verdicts of others on a job with their addresses; none before one of one's own counts."""
    mine = reviews.alias("mine")
    own = exists().where(mine.c.job_id == job_id, mine.c.person == person.name, counts(mine))
    query = (
        select(reviews, people.c.address)
        .select_from(reviews.outerjoin(people, people.c.person == reviews.c.person))
        .where(reviews.c.job_id == job_id, reviews.c.superseded_at.is_(None), reviews.c.person != person.name, own)
        .order_by(reviews.c.reviewed_at, reviews.c.review_id)
    )
    with database.transaction() as connection:
        # Whoever is asked again must not learn what the answer is.
        return [] if find_turn(connection, person, job_id) is not None else list(connection.execute(query))


def find_reviewed(database: Database, ids: Sequence[UUID], by: Actor | None = None) -> set[UUID]:
    """Return which of some jobs have a verdict that counts: anybody's, or one person's."""
    query = select(reviews.c.job_id).where(reviews.c.job_id == func.any(list(ids)), COUNTS)
    if by is not None:
        query = query.where(reviews.c.person == by.name)
    with database.transaction() as connection:
        return set(connection.execute(query).scalars())


def _refuse_erased(connection: Connection, ids: Sequence[UUID]) -> None:
    """Raise `InvalidParameter` where a job is still on screen that is nowhere else any more."""
    hold_off_erasing(connection)
    if are_erased(connection, ids):
        raise InvalidParameter("This job was erased for good meanwhile: go on to the next one.")


def _check_note(review: Review) -> str | None:
    note = make_storable(review.note).strip()
    if len(note) > LONGEST_NOTE:
        raise InvalidParameter(f"The note is longer than {LONGEST_NOTE:,} characters: shorten it.")
    if review.verdict is Verdict.ESCALATE and not note:
        raise InvalidParameter("Say in a note why somebody else should look at this job.")
    return note or None


def _find_policy(connection: Connection, review: Review) -> int | None:
    """Return the version of the policy under which a verdict is given; None where there is no policy."""
    lock_policy(connection, shared=True)
    if review.policy is None:
        return find_version(connection) or None
    later = select(policies.c.version).where(policies.c.version > review.policy, policies.c.earlier_count.is_(False))
    if connection.execute(later.limit(1)).one_or_none() is not None:
        raise PolicyChanged(
            "The policy was changed while this job was open: read what applies now, and give your verdict again."
        )
    return review.policy or None


def _serialise(connection: Connection, by: Actor) -> None:
    """Let the acts of one person come one after the other: two clicks at once leave one current verdict."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost reviews ' || :person, 0))")
    connection.execute(lock, {"person": by.name})


def _would_reject(job: Row[Any], review: Review) -> bool | None:
    """Tell whether a job should be rejected by a verdict; None where it says nothing of that."""
    if review.verdict not in (Verdict.AGREE, Verdict.OVERTURN):
        return None
    return bool(job.is_prohibited) == (review.verdict is Verdict.AGREE)


def _remember(job: Row[Any]) -> dict[str, Any]:
    """Return what a review remembers of its job."""
    return {
        "job_id": job.job_id,
        "client_id": job.client_id,
        "job_created_at": job.created_at,
        "is_prohibited": job.is_prohibited,
        "evaluated": bool(job.evaluated),
        **{category.column: job._mapping[category.column] for category in Category},
    }


def _tell(event: WebhookEvent, row: Row[Any]) -> Message:
    """Write of a verdict what other services may know: neither who gave it nor the note."""
    said = {name: row._mapping[name] for name in ("review_id", "act_id", "job_id", "job_created_at", "reviewed_at")}
    return Message(event, row.client_id, said | {"verdict": row.verdict, "categories": row.categories})


def _repeat(ids: list[int]) -> Any:
    """Build the statement that lets earlier verdicts count again, each as a new row of the act that it was made by."""
    copied = [column for column in reviews.c if column.name not in ("review_id", "reviewed_at", "superseded_at")]
    earlier = select(*copied).where(reviews.c.review_id == func.any(ids))
    return insert(reviews).from_select([column.name for column in copied], earlier)
