"""What verdicts on a sample say of all the jobs that it was drawn from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.actor import Actor
from core.db.databases import Databases
from core.jobs.filter import Category
from core.jobs.strata import Stratification
from core.quality.errors import Errors, correct, read_errors
from core.quality.figures import Figure, Question, answer
from core.quality.opinions import Opinion, Stratified, read_opinions, read_strata
from core.quality.policies import Versions, read_versions


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs of one decision that have something in common: how many of the sample's, and what share is wrong.

    `jobs` is None where the sample does not know how many there are.
    """

    values: tuple[Any, ...]
    is_prohibited: bool
    jobs: int | None
    drawn: int | None
    judged: int
    wrong: Figure


@dataclass(frozen=True, slots=True)
class FlagAnswer:
    """Of the jobs that bear a category's flag, how many should; and of those that should, how many do."""

    precision: Figure
    recall: Figure


@dataclass(frozen=True, slots=True)
class Answer:
    """The answers of a sample, which is perhaps only begun."""

    drawn: int
    judged: int
    strata: Sequence[Group]
    wrong_rejections: Figure
    wrong_passes: Figure
    # Of the rejections, the share that is right.
    precision: Figure
    # Of all jobs that should be rejected, the share that is.
    recall: Figure
    flags: Mapping[Category, FlagAnswer]
    # By what tells jobs apart beside the decision; what the sample does not tell apart is not there.
    groups: Mapping[Stratification, Sequence[Group]]
    versions: Versions
    errors: Errors


def answer_sample(databases: Databases, sample_id: UUID, strata_by: Sequence[str], told: Actor | None = None) -> Answer:
    """Estimate from the verdicts that count now; `strata_by` is what told the sample's strata apart.

    `told`: whom. To nobody in particular, nothing that would tell how often one person errs.
    """
    with databases.ours.transaction(is_snapshot=True) as connection:
        strata, opinions = read_strata(connection, sample_id), read_opinions(connection, sample_id)
        versions, errors = read_versions(connection, sample_id), read_errors(connection, sample_id, told)
    by = tuple(map(Stratification, strata_by))
    rejected = [one for one in strata if _is_prohibited(one)]
    passed = [one for one in strata if not _is_prohibited(one)]
    figures = (
        answer(_WRONG, rejected, opinions),
        answer(_WRONG, passed, opinions),
        answer(_RIGHT, rejected, opinions),
        answer(_RECALL, strata, opinions),
    )
    return Answer(
        sum(one.drawn for one in strata),
        len(opinions),
        [_group([one], one.values, opinions) for one in strata],
        *correct(errors, *figures),
        {category: _answer_flag(category, by, strata, opinions) for category in Category},
        {
            kind: groups
            for kind in (Stratification.REASON, Stratification.CLIENT, Stratification.CATEGORY)
            if (groups := _list_groups(kind, by, strata, opinions))
        },
        versions,
        errors,
    )


def _is_prohibited(stratum: Stratified) -> bool:
    # The decision is always the first that tells strata apart.
    return bool(stratum.values[0])


def _should_be_rejected(one: Opinion) -> bool | None:
    return None if one.is_wrong is None else one.is_prohibited != one.is_wrong


_WRONG = Question(hit=lambda one: one.is_wrong)
_NO_CATEGORIES = "reviewers have agreed on the categories of none of its jobs; a sample can ask for them"
_RIGHT = Question(hit=lambda one: None if one.is_wrong is None else not one.is_wrong, faults_are_hits=False)
_RECALL = Question(
    asked=_should_be_rejected,
    hit=lambda one: one.is_prohibited,
    may_hit=_is_prohibited,
    may_miss=lambda stratum: not _is_prohibited(stratum),
    faults_are_hits=False,
)


def _answer_flag(
    category: Category, by: Sequence[Stratification], strata: Sequence[Stratified], opinions: Collection[Opinion]
) -> FlagAnswer:
    def has(one: Opinion) -> bool:
        return one.has[category]

    def should_have(one: Opinion) -> bool | None:
        return one.should_have[category]

    if opinions and all(one.should_have[category] is None for one in opinions):
        nothing = Figure(None, _NO_CATEGORIES, sum(one.jobs for one in strata), len(opinions), 0, (), ())
        return FlagAnswer(nothing, nothing)
    if Stratification.CATEGORY not in by:
        return FlagAnswer(
            answer(Question(asked=has, hit=should_have, faults_are_hits=False), strata, opinions),
            answer(Question(asked=should_have, hit=has, faults_are_hits=False), strata, opinions),
        )
    place = by.index(Stratification.CATEGORY)
    flagged = [one for one in strata if category.value in _flags(one.values[place])]
    numbers = {one.number for one in flagged}
    recall = Question(
        asked=should_have,
        hit=lambda one: one.stratum in numbers,
        may_hit=lambda one: one.number in numbers,
        may_miss=lambda one: one.number not in numbers,
        faults_are_hits=False,
    )
    return FlagAnswer(
        answer(Question(hit=should_have, faults_are_hits=False), flagged, opinions), answer(recall, strata, opinions)
    )


def _list_groups(
    kind: Stratification, by: Sequence[Stratification], strata: Sequence[Stratified], opinions: Collection[Opinion]
) -> list[Group]:
    """List the wrong decisions by reason, client or category, the greatest groups first."""
    found: list[Group] = []
    if kind in by:
        place = by.index(kind)
        together: dict[tuple[Any, ...], list[Stratified]] = {}
        for one in strata:
            together.setdefault((one.values[0], one.values[place]), []).append(one)
        found = [_group(parts, values, opinions) for values, parts in together.items()]
    elif kind is Stratification.CLIENT:
        for is_prohibited in (True, False):
            parts = [one for one in strata if _is_prohibited(one) is is_prohibited]
            clients = {one.client_id for one in opinions if one.is_prohibited is is_prohibited}
            found += [_group_of_client(client, parts, opinions) for client in sorted(clients)]
    return sorted(found, key=lambda one: (not one.is_prohibited, -(one.jobs or one.judged), str(one.values)))


def _group(parts: Sequence[Stratified], values: tuple[Any, ...], opinions: Collection[Opinion]) -> Group:
    wrong = answer(_WRONG, parts, opinions)
    return Group(values, bool(values[0]), wrong.jobs, sum(one.drawn for one in parts), wrong.judged, wrong)


def _group_of_client(client_id: str, parts: Sequence[Stratified], opinions: Collection[Opinion]) -> Group:
    question = Question(asked=lambda one: one.client_id == client_id, hit=lambda one: one.is_wrong)
    is_prohibited = _is_prohibited(parts[0])
    judged = sum(one.client_id == client_id and one.is_prohibited is is_prohibited for one in opinions)
    return Group((is_prohibited, client_id), is_prohibited, None, None, judged, answer(question, parts, opinions))


def _flags(value: str | None) -> list[str]:
    """Read the categories that a stratum's jobs bear; None: they have no moderation log."""
    return [] if value is None else value.split()
