"""The part of the policy that applies to the open job, where it is judged."""

from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.job import find_with_reason
from core.policy.texts import GENERAL, Kind, Policy, Subject, read_policy
from dashboard.open_job.conduct import find_conduct
from dashboard.session.resources import Resources
from dashboard.widgets.written_text import show_written

# A job, and the version of the policy that was on screen beside it.
_SHOWN = "policy_shown"


def show_policy(resources: Resources, person: Actor, job: Row[Any]) -> None:
    """Show what applies in general, to the job's reason and to its flagged categories.

    Where its decision is hidden all categories are shown and no reason: what is shown must not tell what was decided.
    """
    policy = read_policy(resources.databases.ours)
    is_blind = find_conduct(job.job_id).is_blind
    about = _list_blind(policy) if is_blind else _list_about(resources, person, job, policy)
    if about:
        with st.expander("Policy", icon=":material/menu_book:", expanded=not is_blind):
            for subject, row in about:
                st.caption(f"{name_subject(subject)} · version {row.version}")
                show_written(row.text)
    st.session_state[_SHOWN] = (job.job_id, policy.version)


def find_shown_version(job_id: UUID) -> int | None:
    """Return the version of the policy that is on screen beside a job; None where nothing was shown."""
    shown: tuple[UUID, int] | None = st.session_state.get(_SHOWN)
    return shown[1] if shown is not None and shown[0] == job_id else None


def name_subject(subject: Subject) -> str:
    """Name what a text is about; a reason stands beside it already, and its words are others'."""
    match subject.kind:
        case Kind.GENERAL:
            return "In general"
        case Kind.CATEGORY:
            return CATEGORY_NAMES[Category(subject.value)]
        case Kind.REASON:
            return "This reason"


def _list_blind(policy: Policy) -> list[tuple[Subject, Row[Any]]]:
    return _list_texts(policy, [GENERAL, *(Subject(Kind.CATEGORY, category.value) for category in Category)])


def _list_about(resources: Resources, person: Actor, job: Row[Any], policy: Policy) -> list[tuple[Subject, Row[Any]]]:
    reasons = [subject.value for subject in policy.texts if subject.kind is Kind.REASON]
    found: dict[UUID, str] = {}
    if reasons:
        with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
            found = find_with_reason(connection, person.wall, [job.job_id], reasons)
    flagged = [category for category in Category if job._mapping[category.column]]
    subjects = [Subject(Kind.REASON, reason) for reason in found.values()]
    return _list_texts(policy, [*subjects, *(Subject(Kind.CATEGORY, category.value) for category in flagged), GENERAL])


def _list_texts(policy: Policy, subjects: list[Subject]) -> list[tuple[Subject, Row[Any]]]:
    return [(subject, policy.texts[subject]) for subject in subjects if subject in policy.texts]
