"""One job beside the list: what was decided and why, its text where it may be seen, its logs, and its repeats."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.audit.events import Event, record
from core.characters import Invisible, find_invisible, quote
from core.errors import FencepostError, QueryTooSlow
from core.instants import print_local
from core.jobs.access import make_access
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.hidden_text import Texts, find_hidden, find_withheld, reason_columns
from core.jobs.job import MOST_LOGS, JobTexts, api_key_columns, find_job, list_logs, read_texts
from core.jobs.same_prompt import SamePrompt, find_same_prompt
from core.review.noted_reasons import read_noted
from dashboard.open_job.announcement import announce
from dashboard.open_job.conduct import HIDDEN, WHY_HIDDEN, find_conduct
from dashboard.open_job.policy import show_policy
from dashboard.open_job.prompt_text import show_text
from dashboard.open_job.review import show_review
from dashboard.open_job.seen import forget_seen, is_revealed, note_seen, reveal
from dashboard.session.admission import admitted, fragment
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.window import SCARCE, known_window
from dashboard.widgets.words import DECISIONS, FLAGS, name_duration, name_time

# Whether invisible characters are marked.
MARKED = "mark_invisible"

# Whether the job could not be read: trying it again is to draw the page, not the job alone.
FAILED = "job_failed"

# Characters of a text that are sent at first.
LONGEST = 20_000

DECISION_COLORS: dict[bool | None, Any] = {True: "red", False: "green", None: "gray"}

NOT_FOUND = "There is no job with this id among those you may see. Check the address, or ask whoever sent it."


# Pixels of the verdicts and of what frames them.
VERDICTS_HEIGHT = 262

# What is read has some room in any window.
LEAST_HEIGHT = 260


def show_open_job(
    job_id: UUID, zone: ZoneInfo, texts: Texts, *, height: int, on_done: Callable[[Actor], None] | None = None
) -> Row[Any] | None:
    """Show a job within so many pixels, and the verdicts beneath it at a place that no text moves.

    Return the job, or None where there is none. `on_done` is called after a verdict was recorded.
    """
    # Where there is little room, the four verdicts in one line need that of the frame.
    with st.container(border=known_window().width >= SCARCE, gap="small"):
        with st.container(
            height=max(LEAST_HEIGHT, height - VERDICTS_HEIGHT), border=False, gap="small", key="job_body"
        ):
            job = show_job(job_id, zone, texts)
        if job is not None:
            show_review(job_id, zone, on_done)
    return job


@fragment()
def show_job(person: Actor, job_id: UUID, zone: ZoneInfo, texts: Texts) -> Row[Any] | None:
    """Show a job; its texts as far as `texts` are shown, or after it was revealed. Return it, or None.

    The look is committed to the audit before anything is sent.
    """
    resources = get_resources()
    if st.session_state.pop(FAILED, False):
        # What was missing is missing from the whole page.
        st.rerun()
    try:
        noted = read_noted(resources.databases)
        with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
            access = make_access(resources.databases, person.wall)
            columns = [*reason_columns(access, noted), *api_key_columns(access)]
            job = find_job(connection, job_id, person.wall, columns)
            logs = [] if job is None else list_logs(connection, job_id, person.wall)
    except FencepostError:
        st.session_state[FAILED] = True
        raise
    if job is None:
        st.info(NOT_FOUND, icon=":material/search_off:")
        return None
    forget_other_job(job_id)
    conduct = find_conduct(job_id)
    chosen, texts = texts, conduct.narrow(texts)
    decision = HIDDEN if conduct.is_blind else DECISIONS[job.is_prohibited]
    created = name_time(job.created_at, zone)
    withheld = find_withheld(job, person.wall)
    hidden = withheld if is_revealed(job_id) else find_hidden(job, texts, person.wall)
    if hidden is not None and texts is not chosen and withheld is None:
        hidden = WHY_HIDDEN
    with_reason = hidden is None or (not conduct.is_blind and job.reason_is_rule)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(decision, color=DECISION_COLORS[None if conduct.is_blind else job.is_prohibited])
        st.text(created, width="content")
        _show_hide(job_id)
    _record_look(resources, person, job_id, with_text=hidden is None)
    read = _read_texts(resources, person, job_id, with_prompt=hidden is None) if with_reason else None
    if not conduct.is_blind:
        if read is not None:
            _show_reason(read)
        _show_categories(job)
    if hidden is not None:
        what = "The prompt is" if with_reason else "Prompt and reason are"
        _show_reveal(job_id, hidden, what, may_reveal=withheld is None)
    elif read is not None:
        _show_prompt(read, job_id)
    if job.is_prohibited is not None:
        show_policy(resources, person, job)
    told = [] if conduct.is_blind else logs
    _show_facts(job, told, _find_same_prompt(resources, person, job_id), zone)
    _show_logs(job, told, zone)
    # Read out where another job is opened: the focus stays where it is.
    announce(f"Job opened: {decision[2:]}, {created}", key="job_announcement", number=str(job_id))
    if hidden is None:
        note_seen(job_id)
    return job


def forget_other_job(job_id: UUID | None) -> None:
    """Forget what was revealed of any other job: who comes back to it meets it hidden."""
    look: tuple[UUID, bool] | None = st.session_state.get("look")
    if look is None or look[0] != job_id:
        forget_seen()
        for name in ("look", "all_of", MARKED):
            st.session_state.pop(name, None)


def _show_reveal(job_id: UUID, hidden: str, what: str, *, may_reveal: bool) -> None:
    """Say what is hidden, and offer to reveal it to whom it is not withheld."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text(f"{what} hidden: {hidden}.")
        if not may_reveal:
            return
        st.button(
            "Reveal",
            icon=":material/visibility:",
            key=f"reveal_{job_id}",
            shortcut="V",
            on_click=admitted(reveal),
            args=(job_id,),
        )


def _show_hide(job_id: UUID) -> None:
    """Offer to hide again what was revealed."""
    if not is_revealed(job_id):
        return
    st.button(
        "Hide again",
        icon=":material/visibility_off:",
        key=f"hide_{job_id}",
        shortcut="V",
        type="tertiary",
        on_click=admitted(reveal),
        args=(None,),
    )


def _show_all(job_id: UUID) -> None:
    st.session_state["all_of"] = job_id


def _record_look(resources: Resources, person: Actor, job_id: UUID, *, with_text: bool) -> None:
    """Commit to the audit that a job was opened or its text revealed: where that fails nothing is shown."""
    look: tuple[UUID, bool] | None = st.session_state.get("look")
    if look is None or look[0] != job_id:
        record(resources.databases, Event.JOB_OPENED, person, subject=str(job_id), details={"text": with_text})
    elif with_text and not look[1]:
        record(resources.databases, Event.PROMPT_REVEALED, person, subject=str(job_id))
    st.session_state["look"] = (job_id, with_text)


def _read_texts(resources: Resources, person: Actor, job_id: UUID, *, with_prompt: bool) -> JobTexts | None:
    """Read prompt and reason, at first no more than their beginnings; or the reason alone."""
    longest = None if st.session_state.get("all_of") == job_id else LONGEST
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        return read_texts(connection, job_id, person.wall, longest=longest, with_prompt=with_prompt)


def _show_reason(texts: JobTexts) -> None:
    reason = texts.reason or ""
    _show_one("Reason", texts.reason, find_invisible(reason).characters if st.session_state.get(MARKED) else ())
    if texts.reason_length > len(reason):
        st.caption(f"The first {len(reason):,} of the reason's {texts.reason_length:,} characters.")


def _show_prompt(texts: JobTexts, job_id: UUID) -> None:
    prompt = texts.prompt or ""
    invisible = find_invisible(prompt + (texts.reason or ""))
    marked = invisible.characters if invisible.total and st.session_state.get(MARKED) else ()
    _show_one("Prompt", texts.prompt, marked)
    if invisible.total:
        _show_invisible(invisible)
    if texts.prompt_length > len(prompt):
        st.button(
            f"Show all {texts.prompt_length:,} characters",
            key="show_all",
            icon=":material/unfold_more:",
            on_click=admitted(_show_all),
            args=(job_id,),
        )


def _show_categories(job: Row[Any]) -> None:
    """Show the three categories as they were decided, side by side; no line ends within one."""
    if not job.evaluated:
        st.text("Categories: – No moderation log")
        return
    said = [f"{name}: {FLAGS[job._mapping[category.column]]}" for category, name in CATEGORY_NAMES.items()]
    st.text("  ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in said))


def _show_one(label: str, text: str | None, marked: Sequence[str]) -> None:
    if text and text.isspace() and not find_invisible(text).total:
        # In a frame it would look as if something was missing.
        st.text(f"{label}: nothing but spaces and line breaks.")
    elif text:
        show_text(text, label, key=f"text_{label.lower()}", marked=marked, is_brief=label == "Reason")
    else:
        st.text(f"{label}: {'none' if text is None else 'empty'}.")


def _show_invisible(invisible: Invisible) -> None:
    """Say how many characters nobody sees, and let somebody mark them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        count = "1 invisible character" if invisible.total == 1 else f"{invisible.total:,} invisible characters"
        if invisible.direction:
            count += f", {invisible.direction:,} of which change the writing direction"
        st.caption(f":material/warning: {count}.")
        st.toggle("Mark them", key=MARKED)


def _show_facts(job: Row[Any], logs: Sequence[Row[Any]], same: SamePrompt | None, zone: ZoneInfo) -> None:
    """Show what else there is to know in one text: a browser draws that much sooner than a table."""
    facts = {
        "Client": quote(job.client_id),
        "Type and status": f"{quote(job.type)}, {job.status}",
        "Completed": _name_completed(job, zone),
    }
    if job.api_key_id is not None or job.api_key_name is not None:
        facts["API key"] = _name_api_key(job)
    if len(logs) == 1:
        # What it says of the categories stands above.
        facts["Moderation log"] = f"{name_time(logs[0].created_at, zone)}, {_name_delay(logs[0], job)}"
    if same is not None:
        facts["The same prompt"] = name_same_prompt(same, zone)
    st.text("\n".join(f"{label}: {value}" for label, value in facts.items()))
    # By this the browser knows which job is on screen (dashboard/keyboard/help.js): a policy may hold any code.
    with st.container(key="open_job_id"):
        st.markdown(f"Job id: `{job.job_id}`")


def _name_api_key(job: Row[Any]) -> str:
    """Name the key that a job was submitted with by its name and its id, as far as they are known."""
    name, key_id = (None if each is None else quote(each) for each in (job.api_key_name, job.api_key_id))
    return f"{name}, id {key_id}" if name and key_id else name or f"id {key_id}"


def _name_completed(job: Row[Any], zone: ZoneInfo) -> str:
    if job.completed_at is None:
        return "not yet"
    took: timedelta = job.completed_at - job.created_at
    if took < timedelta(0):
        return f"{name_time(job.completed_at, zone)}, which is before it was created"
    return f"{name_time(job.completed_at, zone)}, after {name_duration(took)}"


def _show_logs(job: Row[Any], logs: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show several logs in their order, each with what changed since the one before; the last one counts."""
    if len(logs) < 2:
        return
    st.caption("Moderation logs, the last one counts")
    frame = pd.DataFrame(
        {
            "time": [print_local(log.created_at, zone) for log in logs],
            "after": [_name_delay(log, job) for log in logs],
            "changed": [
                "first log" if previous is None else _name_changes(previous, log)
                for previous, log in zip([None, *logs], logs, strict=False)
            ],
            **{category.value: [FLAGS[log._mapping[category.column]] for log in logs] for category in Category},
        },
        dtype="str",
    )
    text = st.column_config.TextColumn
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(logs), 10 * ROW_HEIGHT + 3),
        row_height=ROW_HEIGHT,
        column_config={
            "time": text(f"Logged ({zone.key})", width=165),
            "after": text("After", width=80, help="Since the job was created."),
            "changed": text("What changed", width=230),
            **{category.value: text(name, width=120) for category, name in CATEGORY_NAMES.items()},
        },
        key="logs",
        alt="Moderation logs of this job, in their order",
    )
    if len(logs) == MOST_LOGS:
        st.caption(f"The latest {MOST_LOGS} logs.")


def _name_changes(previous: Row[Any], log: Row[Any]) -> str:
    changes = [
        f"{name}: {FLAGS[before][2:]} → {FLAGS[after][2:]}"
        for category, name in CATEGORY_NAMES.items()
        if (before := previous._mapping[category.column]) is not (after := log._mapping[category.column])
    ]
    return "; ".join(changes) or "nothing"


def _name_delay(log: Row[Any], job: Row[Any]) -> str:
    after = log.created_at - job.created_at
    return f"{name_duration(after)} after the job" if after >= timedelta(0) else "before the job"


def _find_same_prompt(resources: Resources, person: Actor, job_id: UUID) -> SamePrompt | None:
    """Find how often the same prompt came, where the jobs are ours and so have the index for it."""
    if not resources.databases.jobs_are_ours:
        return None
    try:
        with resources.databases.source.transaction(timeout=1) as connection:
            return find_same_prompt(connection, job_id, person.wall)
    except QueryTooSlow:
        return None


def name_same_prompt(same: SamePrompt, zone: ZoneInfo) -> str:
    """Say how often a prompt came, when, and from whom."""
    if same.total == 1:
        return "only in this job."
    more = "" if same.is_complete else "More than "
    total = same.total if same.is_complete else same.total - 1
    shown = [f"{quote(client)} {count:,}" for client, count in same.clients[:5]]
    rest = len(same.clients) - len(shown)
    clients = ", ".join(shown) + (f" and {rest:,} more clients" if rest else "")
    times = f"from {name_time(same.first, zone)} to {name_time(same.last, zone)}"
    return f"{more}{total:,} jobs, {times}.\nClients: {clients}."
