"""What somebody makes of the open job's decision: four verdicts, the categories they would set, and a note."""

from collections.abc import Callable
from dataclasses import dataclass
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
    PolicyChanged,
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
from dashboard.open_job.announcement import announce
from dashboard.open_job.conduct import PASS, find_conduct, name_blind
from dashboard.open_job.policy import find_shown_version
from dashboard.open_job.review_note import NOTE, find_note, show_note
from dashboard.open_job.same_prompt import APPLY, Alike, find_alike, show_alike
from dashboard.open_job.seen import is_seen, reveal
from dashboard.open_job.showing import is_shown, leave_showing, name_showing
from dashboard.session.admission import REVIEWERS, admitted, as_person, dialog, fragment
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.window import SCARCE, known_window
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

# What the note and the categories show until somebody changes them.
FIELDS = "review_fields"

# Acts of this session, each with the job that was open, the last one last.
ACTS = "review_acts"

# What is to be said of the last act, after its number; not by its callback, which may draw nothing within a fragment.
SAID = "review_said"

# The act of one's own that counted when the job was opened here: what another window does later is told.
SHOWN = "review_shown"

# A job, and what is to be said of a verdict on it that was refused, until the next one is given.
TOLD = "review_told"

# A verdict on a text that was not seen, and on which showing of a job: somebody is to be asked.
UNSEEN = "review_unseen"

_KEPT = "review_showing"


@dataclass(frozen=True, slots=True)
class Given:
    """What a verdict is given on: a showing of a job, with the others that have its prompt."""

    showing: str
    job: Row[Any]
    alike: Alike | None
    on_done: Callable[[Actor], None] | None


@fragment(scopes=REVIEWERS)
def show_review(person: Actor, job_id: UUID, zone: ZoneInfo, on_done: Callable[[Actor], None] | None = None) -> None:
    """Show the verdicts on a decided job, and let somebody add theirs; `on_done` is called after one was recorded."""
    resources = get_resources()
    if st.session_state.pop("other_job", False):
        # The address has changed, and with it the whole page.
        st.rerun()
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        job = find_job(connection, job_id, person.wall)
    if job is None:
        return
    if job.is_prohibited is None:
        st.caption("This job is not decided yet, so there is nothing to review.")
        show_take_back(resources, person, job_id, None)
        say_act()
        return
    ours = resources.databases.ours
    own = find_own(ours, person, job_id)
    showing = name_showing(job_id)
    if st.session_state.get(_KEPT) != showing or f"{NOTE}_{showing}" not in st.session_state:
        _begin(resources, person, job_id, showing, own)
    note, categories = st.session_state[FIELDS]
    alike: Alike | None = st.session_state["review_alike"]
    given = Given(showing, job, alike, on_done)
    # Beside the keys' names the verdicts would take two lines, and a telephone has no keys.
    says_keys = known_window().width >= SCARCE
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for verdict, name, (word, key, meaning) in _list_verdicts(job):
            st.button(
                word,
                shortcut=key if says_keys else None,
                help=meaning if says_keys else f"{meaning} Key: {key}.",
                key=f"verdict_{name}_{showing}",
                on_click=as_person(_judge, REVIEWERS),
                args=(given, verdict),
            )
        show_take_back(resources, person, job_id, own)
    st.pills(
        "Categories that you would set",
        [*(category.value for category in Category), NONE],
        # Given with each run: the browser draws it when it can, and may have heard of a later run by then.
        default=categories,
        # What is chosen or written for one job never reaches another, however late it comes.
        key=f"{CATEGORIES}_{showing}",
        selection_mode="multi",
        format_func=lambda value: "None of them" if value == NONE else CATEGORY_NAMES[Category(value)],
        label_visibility="collapsed",
        on_change=admitted(_leave_one),
        args=(showing,),
    )
    with st.container(gap=None):
        show_note(job_id, showing, note)
        say_act()
    if not find_conduct(job_id).is_blind:
        show_alike(alike, job, showing)
    if own is not None and not find_conduct(job_id).is_blind:
        _show_verdict("You", own, zone)
        for other in list_others(ours, person, job_id):
            _show_verdict(quote(other.address or other.person, 60), other, zone)
    if st.session_state["review_error"]:
        st.error(st.session_state["review_error"], icon=":material/error:")
    unseen: tuple[str, Verdict] | None = st.session_state.get(UNSEEN)
    if unseen is not None and unseen[0] == showing:
        _ask(given, unseen[1])


def _list_verdicts(job: Row[Any]) -> list[tuple[Verdict, str, tuple[str, str, str]]]:
    """List the verdicts with what they are called; where the decision is hidden, neither name nor order tells it."""
    named = [(verdict, *_name_verdict(verdict, job)) for verdict in VERDICTS]
    if find_conduct(job.job_id).is_blind:
        named[:2] = sorted(named[:2], key=lambda each: each[2] == PASS)
    return named


def _name_verdict(verdict: Verdict, job: Row[Any]) -> tuple[str, tuple[str, str, str]]:
    """Return the name of a verdict, and its word, key and meaning."""
    blind = name_blind(verdict, is_prohibited=job.is_prohibited) if find_conduct(job.job_id).is_blind else None
    if blind is not None:
        return blind[0].lower(), blind
    word, _, key, meaning = VERDICTS[verdict]
    return verdict.value, (word, key, meaning)


def say_act() -> None:
    """Say what was just recorded or taken back, to who looks and to who listens."""
    number, said = st.session_state.get(SAID) or (0, "")
    announce(said, key="act_announcement", number=number, is_shown=True)


def _say(said: str) -> None:
    number = (st.session_state.get(SAID) or (0,))[0]
    st.session_state[SAID] = (number + 1, said)


def _end_question() -> None:
    st.session_state.pop(UNSEEN, None)


# Whatever draws the page anew meanwhile draws the question, too, until it is answered or put away.
@dialog("You have not seen the text", scopes=REVIEWERS, on_dismiss=admitted(_end_question))
def _ask(_: Actor, given: Given, verdict: Verdict) -> None:
    """Ask whether a verdict is meant although the prompt was hidden all the time."""
    word = _name_verdict(verdict, given.job)[1][0]
    st.write("The prompt of this job was hidden all the time. A verdict without it is marked as such.")
    with st.container(horizontal=True):
        is_answered = st.button(
            "Reveal the text",
            icon=":material/visibility:",
            shortcut="V",
            key=f"show_unseen_{given.showing}",
            on_click=admitted(reveal),
            args=(given.job.job_id,),
        )
        is_answered |= st.button(
            f"{word} without it",
            shortcut="Y",
            key=f"give_unseen_{given.showing}",
            on_click=as_person(_record, REVIEWERS),
            args=(given, verdict, False),
        )
    if is_answered:
        _end_question()
        st.session_state.pop("other_job", None)
        st.rerun()


def _leave_one(showing: str) -> None:
    """Let "none of them" and categories put each other out: what was pressed last counts."""
    key = f"{CATEGORIES}_{showing}"
    chosen: list[str] = st.session_state[key]
    if NONE in chosen and len(chosen) > 1:
        st.session_state[key] = [NONE] if chosen[-1] == NONE else [value for value in chosen if value != NONE]


def _begin(resources: Resources, person: Actor, job_id: UUID, showing: str, own: Row[Any] | None) -> None:
    """Set the fields to what the person was writing, or else has said about this job last."""
    last = find_last(resources.databases.ours, person, job_id)
    unrecorded = find_unrecorded(resources.databases.ours, person, job_id)
    given = unrecorded or last
    said: list[str] | None = None if given is None else given.categories
    note = find_note(person, job_id) or (last.note if last is not None else None) or ""
    st.session_state[FIELDS] = (note, [] if said is None else said or [NONE])
    st.session_state["review_alike"] = find_alike(person, job_id)
    st.session_state[SHOWN] = frozenset(() if own is None else (own.act_id,))
    st.session_state["review_error"] = _find_told(job_id) or _explain(unrecorded)
    # Last: a run may be ended at each of these lines, and the next one begins anew.
    st.session_state[_KEPT] = showing


def _find_told(job_id: UUID) -> str | None:
    told: tuple[UUID, str] | None = st.session_state.get(TOLD)
    return told[1] if told is not None and told[0] == job_id else None


def _explain(unrecorded: Row[Any] | None) -> str | None:
    """Say that a verdict was lost: its server was stopped, the database was away, or another window was ahead of it."""
    if unrecorded is None:
        return None
    word = VERDICTS[Verdict(unrecorded.verdict)][0]
    return f"Your verdict “{word}” on this job was not recorded: give it again if it still holds."


def show_take_back(resources: Resources, person: Actor, job_id: UUID | None, own: Row[Any] | None) -> None:
    """Offer to take back the last act of this session, or else the verdict that one sees on the open job."""
    acts: list[tuple[UUID, UUID]] = st.session_state.setdefault(ACTS, [])
    # Not from the address: what was pressed on the job before may come with that one's.
    showing = name_showing(job_id)
    act = acts[-1] if acts else None if own is None else (own.act_id, own.job_id)
    st.button(
        "Take back",
        icon=":material/undo:",
        shortcut="U",
        key=f"take_back_{showing}",
        type="tertiary",
        disabled=act is None,
        help="Your last verdict, with all jobs that it was applied to; again: the one before.",
        on_click=as_person(_take_back, REVIEWERS),
        args=(showing, resources, act),
    )


def _judge(person: Actor, given: Given, verdict: Verdict) -> None:
    """Record a verdict; ask first where the text was never shown."""
    if not is_shown(given.showing):
        return
    if is_seen(given.job.job_id):
        _record(person, given, verdict, True)
    else:
        st.session_state[UNSEEN] = (given.showing, verdict)


def _record(person: Actor, given: Given, verdict: Verdict, saw_text: bool) -> None:
    if not is_shown(given.showing):
        return
    st.session_state.pop(TOLD, None)
    resources, job, alike = get_resources(), given.job, given.alike
    # A key may come before the fields are drawn.
    note, chosen = st.session_state[FIELDS]
    note = st.session_state.get(f"{NOTE}_{given.showing}", note)
    chosen = st.session_state.get(f"{CATEGORIES}_{given.showing}", chosen)
    categories = frozenset(Category(value) for value in chosen if value != NONE) if chosen else None
    jobs = [job]
    if alike is not None and st.session_state.get(f"{APPLY}_{given.showing}"):
        # What was reviewed in another tab meanwhile stays as it is.
        others = alike.others(job.job_id)
        reviewed = find_reviewed(resources.databases.ours, [other.job_id for other in others], person)
        jobs += [other for other in others if other.job_id not in reviewed]
    try:
        queue = find_conduct(job.job_id).queue
        review = Review(verdict, categories, note, saw_text, find_shown_version(job.job_id), queue)
        act = record_review(resources.databases, person, jobs, review, shown=st.session_state[SHOWN])
    except ChangedMeanwhile as error:
        st.session_state[TOLD] = (job.job_id, str(error))
        # What is written now stands beside the verdict, not in it.
        st.session_state["other_job"] = isinstance(error, PolicyChanged)
        # A second press that is on its way replaces nothing.
        leave_showing()
        return
    except InvalidParameter as error:
        st.session_state["review_error"] = str(error)
        return
    st.session_state.setdefault(ACTS, []).append((act, job.job_id))
    _say(f"{_name_verdict(verdict, job)[1][0]}: recorded for {_name_jobs(len(jobs))}. U takes it back.")
    if given.on_done is not None:
        given.on_done(person)
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
    _say(f"Taken back for {_name_jobs(taken)}." if taken else "There is nothing to take back any more.")
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
    if review.saw_text is False:
        said += "; without having seen the text"
    if review.outdated_by:
        said += "; under an earlier policy, so it does not count"
    st.text(said if review.note is None else f"{said}\n{review.note}")


def _name_jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"
