"""What somebody makes of the open job's decision: four verdicts, the categories they would set, and a note."""

from collections.abc import Callable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.characters import quote
from core.errors import InvalidParameter
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.job import find_job
from core.review.claims import release_claim
from core.review.drafts import find_unrecorded
from core.review.verdicts import (
    ChangedMeanwhile,
    Review,
    Verdict,
    find_last,
    find_own,
    find_reviewed,
    list_others,
    record_review,
    take_back,
)
from dashboard.address.steps import write_address
from dashboard.open_job.review_note import NOTE, find_note, show_note
from dashboard.open_job.same_prompt import APPLY, Alike, find_alike, show_alike
from dashboard.open_job.showing import is_shown, leave_showing, name_showing
from dashboard.session.admission import as_person, fragment
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.words import name_time

VERDICTS: dict[Verdict, tuple[str, str, str, str]] = {
    Verdict.AGREE: ("Agree", ":material/thumb_up:", "A", "The decision is right."),
    Verdict.OVERTURN: ("Overturn", ":material/swap_horiz:", "O", "The decision should be the opposite."),
    Verdict.UNSURE: ("Not sure", ":material/help:", "N", "Can't tell from this job."),
    Verdict.ESCALATE: ("Escalate", ":material/priority_high:", "E", "Others should look at it: say why in the note."),
}

# What stands for "no category" among the categories that somebody would set.
NONE = "none"
CATEGORIES = "review_categories"

# Acts of this session, each with the job that was open, the last one last.
ACTS = "review_acts"

# What is to be said of the last act; not by its callback, which may draw nothing within a fragment.
SAID = "review_said"

# The act of one's own that counted when the job was opened here: what another window does later is told.
SHOWN = "review_shown"

# A job, and what is to be said of a verdict on it that was refused, until the next one is given.
TOLD = "review_told"


@fragment()
def show_review(person: Actor, job_id: UUID, zone: ZoneInfo, on_done: Callable[[Actor], None] | None = None) -> None:
    """Show the verdicts on a decided job, and let somebody add theirs; `on_done` is called after one was recorded."""
    resources = get_resources()
    if st.session_state.pop("other_job", False):
        # The address has changed, and with it the whole page.
        st.rerun()
    say_act()
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        job = find_job(connection, job_id, person.wall)
    if job is None:
        return
    if job.is_prohibited is None:
        st.caption("This job is not decided yet, so there is nothing to review.")
        show_take_back(resources, person, None)
        return
    ours = resources.databases.ours
    own = find_own(ours, person, job_id)
    if st.session_state.get("review_job") != job_id or NOTE not in st.session_state:
        _begin(resources, person, job_id, own)
    alike: Alike | None = st.session_state["review_alike"]
    showing = name_showing(job_id)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for verdict, (word, _, key, meaning) in VERDICTS.items():
            st.button(
                word,
                shortcut=key,
                help=meaning,
                key=f"verdict_{verdict.value}_{showing}",
                on_click=as_person(_record),
                args=(showing, resources, job, alike, verdict, on_done),
            )
        show_take_back(resources, person, own)
    st.pills(
        "Categories that you would set",
        [*(category.value for category in Category), NONE],
        key=CATEGORIES,
        selection_mode="multi",
        format_func=lambda value: "None of them" if value == NONE else CATEGORY_NAMES[Category(value)],
        label_visibility="collapsed",
    )
    with st.container(gap=None):
        show_note(job_id)
    show_alike(alike, job)
    if own is not None:
        _show_verdict("You", own, zone)
        for other in list_others(ours, person, job_id):
            _show_verdict(quote(other.address or other.person, 60), other, zone)
    if st.session_state["review_error"]:
        st.error(st.session_state["review_error"], icon=":material/error:")


def say_act() -> None:
    """Say what was just recorded or taken back."""
    said = st.session_state.pop(SAID, None)
    if said is not None:
        st.toast(said)


def _begin(resources: Resources, person: Actor, job_id: UUID, own: Row[Any] | None) -> None:
    """Set the fields to what the person was writing, or else has said about this job last."""
    last = find_last(resources.databases.ours, person, job_id)
    unrecorded = find_unrecorded(resources.databases.ours, person, job_id)
    given = unrecorded or last
    said: list[str] | None = None if given is None else given.categories
    st.session_state[NOTE] = find_note(person, job_id) or (last.note if last is not None else None) or ""
    st.session_state[CATEGORIES] = [] if said is None else said or [NONE]
    st.session_state[APPLY] = False
    st.session_state["review_alike"] = find_alike(person, job_id)
    st.session_state[SHOWN] = frozenset(() if own is None else (own.act_id,))
    st.session_state["review_error"] = _find_told(job_id) or _explain(unrecorded)
    # Last: a run may be ended at each of these lines, and the next one begins anew.
    st.session_state["review_job"] = job_id


def _find_told(job_id: UUID) -> str | None:
    told: tuple[UUID, str] | None = st.session_state.get(TOLD)
    return told[1] if told is not None and told[0] == job_id else None


def _explain(unrecorded: Row[Any] | None) -> str | None:
    """Say that a verdict was lost."""
    if unrecorded is None:
        return None
    word = VERDICTS[Verdict(unrecorded.verdict)][0]
    return (
        f"Your verdict “{word}” on this job was not recorded, because the server was stopped or the database did not "
        "answer: give it again if it still holds."
    )


def show_take_back(resources: Resources, person: Actor, own: Row[Any] | None) -> None:
    """Offer to take back the last act of this session, or else the verdict that one sees."""
    acts: list[tuple[UUID, UUID]] = st.session_state.setdefault(ACTS, [])
    opened = st.query_params.get("job")
    showing = name_showing(None if opened is None else UUID(opened))
    act = acts[-1] if acts else None if own is None else (own.act_id, own.job_id)
    st.button(
        "Take back",
        icon=":material/undo:",
        shortcut="U",
        key=f"take_back_{showing}",
        type="tertiary",
        disabled=act is None,
        help="Your last verdict, with all jobs that it was applied to; again: the one before.",
        on_click=as_person(_take_back),
        args=(showing, resources, act),
    )


def _record(
    person: Actor,
    showing: str,
    resources: Resources,
    job: Row[Any],
    alike: Alike | None,
    verdict: Verdict,
    on_done: Callable[[Actor], None] | None,
) -> None:
    if not is_shown(showing):
        return
    st.session_state.pop(TOLD, None)
    chosen = st.session_state[CATEGORIES]
    categories = frozenset(Category(value) for value in chosen if value != NONE) if chosen else None
    jobs = [job]
    if alike is not None and st.session_state.get(APPLY):
        # What was reviewed in another tab meanwhile stays as it is.
        others = alike.others(job.job_id)
        reviewed = find_reviewed(resources.databases.ours, [other.job_id for other in others], person)
        jobs += [other for other in others if other.job_id not in reviewed]
    try:
        if NONE in chosen and len(chosen) > 1:
            raise InvalidParameter("Choose either some categories or “None of them”.")
        review = Review(verdict, categories, st.session_state[NOTE])
        act = record_review(resources.databases, person, jobs, review, shown=st.session_state[SHOWN])
    except ChangedMeanwhile as error:
        st.session_state[TOLD] = (job.job_id, str(error))
        st.session_state["review_job"] = None
        # A second press that is on its way replaces nothing.
        leave_showing()
        return
    except InvalidParameter as error:
        st.session_state["review_error"] = str(error)
        return
    st.session_state.setdefault(ACTS, []).append((act, job.job_id))
    st.session_state["review_job"] = None
    st.session_state[SAID] = f"{VERDICTS[verdict][0]}: recorded for {_name_jobs(len(jobs))}. U takes it back."
    if on_done is not None:
        on_done(person)
        st.session_state["other_job"] = True
    leave_showing()


def _take_back(person: Actor, showing: str, resources: Resources, last: tuple[UUID, UUID]) -> None:
    if not is_shown(showing):
        return
    act, job_id = last
    taken = take_back(resources.databases, person, act)
    acts: list[tuple[UUID, UUID]] = st.session_state[ACTS]
    if acts and acts[-1] == last:
        acts.pop()
    st.session_state["review_job"] = None
    nothing = "There is nothing to take back any more."
    st.session_state[SAID] = f"Taken back for {_name_jobs(taken)}." if taken else nothing
    opened = st.query_params.get("job")
    if opened != str(job_id):
        write_address(st.query_params.to_dict() | {"job": str(job_id)})
    leave_showing()
    if opened not in (None, str(job_id)):
        # Back to the job of that verdict; the one that was open is free for others.
        release_claim(resources.databases.ours, person, UUID(opened))
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
