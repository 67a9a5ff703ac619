"""What somebody makes of the open job's decision: four verdicts, the categories they would set, and a note."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Row

from core.access import Actor, Scope
from core.errors import InvalidParameter, QueryTooSlow
from core.filter_sentence import CATEGORY_NAMES, quote
from core.filters import Category
from core.one_job import find_job, list_same_prompt
from core.reviews import (
    LONGEST_NOTE,
    Review,
    Verdict,
    find_draft,
    find_own,
    find_reviewed,
    keep_draft,
    list_others,
    record_review,
    take_back,
)
from dashboard.people import find_person
from dashboard.receipt_card import name_time
from dashboard.resources import Resources, get_resources

VERDICTS: dict[Verdict, tuple[str, str, str, str]] = {
    Verdict.AGREE: ("Agree", ":material/thumb_up:", "A", "The decision is right."),
    Verdict.OVERTURN: ("Overturn", ":material/swap_horiz:", "O", "The decision should be the opposite."),
    Verdict.UNSURE: ("Not sure", ":material/help:", "N", "It cannot be told from this."),
    Verdict.ESCALATE: ("Escalate", ":material/priority_high:", "E", "Others should look at it: say why in the note."),
}

# What stands for "no category" among the categories that somebody would set.
NONE = "none"

# Jobs with the same prompt that one verdict is applied to at once.
MOST_AT_ONCE = 1_000


@st.fragment
def show_review(job_id: UUID, zone: ZoneInfo, on_done: Callable[[], None] | None = None) -> None:
    """Show the verdicts on a decided job, and let somebody add theirs; `on_done` is called after one was recorded."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        return
    if st.session_state.pop("other_job", False):
        # The address has changed, and with it the whole page.
        st.rerun()
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        job = find_job(connection, job_id, person.wall)
    if job is None or job.is_prohibited is None:
        return
    ours = resources.databases.ours
    st.subheader("Your review")
    own = find_own(ours, person, job_id)
    if own is not None:
        _show_verdict("You", own, zone)
        for other in list_others(ours, person, job_id):
            _show_verdict(quote(other.address or other.person, 60), other, zone)
    if st.session_state.get("review_job") != job_id:
        st.session_state["review_job"] = job_id
        st.session_state["review_note"] = find_draft(ours, person, job_id)
        st.session_state["review_categories"] = []
        st.session_state["review_all"] = False
        st.session_state["review_error"] = None
    st.pills(
        "Categories that you would set",
        [*(category.value for category in Category), NONE],
        key="review_categories",
        selection_mode="multi",
        format_func=lambda value: "None of them" if value == NONE else CATEGORY_NAMES[Category(value)],
    )
    st.text_area(
        "Note",
        key="review_note",
        max_chars=LONGEST_NOTE,
        height=80,
        help="It is kept while you write, and shown to whoever has reviewed this job, too.",
        on_change=lambda: keep_draft(ours, person, job_id, st.session_state["review_note"]),
    )
    alike = _find_alike(resources, person, job_id)
    if len(alike) > 1:
        more = f"{MOST_AT_ONCE:,}+" if len(alike) == MOST_AT_ONCE else f"{len(alike):,}"
        st.checkbox(
            f"Apply to all {more} jobs with this same prompt that I have not reviewed",
            key="review_all",
            help=f"At most {MOST_AT_ONCE:,} at once.",
        )
    with st.container(horizontal=True, gap="small"):
        for verdict, (word, icon, key, meaning) in VERDICTS.items():
            st.button(
                word,
                icon=icon,
                shortcut=key,
                help=meaning,
                key=f"verdict_{verdict.value}",
                on_click=_record,
                args=(resources, person, job, alike, verdict, on_done),
            )
        last: tuple[UUID, UUID] | None = st.session_state.get("last_act")
        st.button(
            "Take back",
            icon=":material/undo:",
            shortcut="U",
            key="take_back",
            type="tertiary",
            disabled=last is None,
            help="Your last verdict of this session.",
            on_click=_take_back,
            args=(resources, person),
        )
    if st.session_state["review_error"]:
        st.error(st.session_state["review_error"], icon=":material/error:")


def _find_alike(resources: Resources, person: Actor, job_id: UUID) -> Sequence[Row[Any]]:
    """List the decided jobs with the same prompt that the person has not reviewed, this one included."""
    if not resources.databases.jobs_are_ours:
        return []
    try:
        with resources.databases.source.transaction(timeout=1) as connection:
            found = list_same_prompt(connection, job_id, person.wall, limit=MOST_AT_ONCE)
    except QueryTooSlow:
        return []
    reviewed = find_reviewed(resources.databases.ours, [job.job_id for job in found], person)
    return [job for job in found if job.job_id not in reviewed or job.job_id == job_id]


def _record(
    resources: Resources,
    person: Actor,
    job: Row[Any],
    alike: Sequence[Row[Any]],
    verdict: Verdict,
    on_done: Callable[[], None] | None,
) -> None:
    chosen = st.session_state["review_categories"]
    categories = frozenset(Category(value) for value in chosen if value != NONE) if chosen else None
    jobs = [job, *(other for other in alike if other.job_id != job.job_id)] if st.session_state["review_all"] else [job]
    try:
        if NONE in chosen and len(chosen) > 1:
            raise InvalidParameter("Choose either some categories or “None of them”.")
        act = record_review(
            resources.databases, person, jobs, Review(verdict, categories, st.session_state["review_note"])
        )
    except InvalidParameter as error:
        st.session_state["review_error"] = str(error)
        return
    st.session_state["last_act"] = (act, job.job_id)
    st.session_state["review_job"] = None
    st.toast(f"{VERDICTS[verdict][0]}: recorded for {_name_jobs(len(jobs))}. U takes it back.")
    if on_done is not None:
        on_done()
        st.session_state["other_job"] = True


def _take_back(resources: Resources, person: Actor) -> None:
    act, job_id = st.session_state.pop("last_act")
    taken = take_back(resources.databases, person, act)
    st.toast(f"Taken back for {_name_jobs(taken)}." if taken else "There is nothing to take back any more.")
    if "job" in st.query_params and st.query_params["job"] != str(job_id):
        st.query_params["job"] = str(job_id)
        st.session_state["other_job"] = True


def _show_verdict(who: str, review: Row[Any], zone: ZoneInfo) -> None:
    """Show a verdict; the note was typed by somebody, so it is text."""
    said = f"{who}: {VERDICTS[Verdict(review.verdict)][0].lower()}, {name_time(review.reviewed_at, zone)}"
    if review.categories is not None:
        names = [CATEGORY_NAMES[Category(value)] for value in review.categories]
        said += f"; would set {', '.join(names) or 'no category'}"
    st.text(said if review.note is None else f"{said}\n{review.note}")


def _name_jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"
