"""Draws a sample of the jobs that a page shows: how many, told apart by what, and how they are to be judged."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import Actor
from core.errors import InvalidParameter
from core.jobs.filter import Decision, JobFilter
from core.jobs.filter_sentence import DECISION_WORDS, describe_filter
from core.jobs.strata import Stratification
from core.quality.samples import LARGEST_SAMPLE, LONGEST_NAME, MOST_OPINIONS, Judging, Plan, draw_sample
from core.quality.sentences import STRATIFICATION_WORDS
from core.review.participants import list_people
from dashboard.address.zones import browser_zone
from dashboard.session.admission import REVIEWERS, dialog
from dashboard.session.first_run import was_open
from dashboard.session.once import is_made, make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.onward import lead_on
from dashboard.widgets.people_select import ask_people_and_day
from dashboard.widgets.primary_button import emphasis

# Jobs that tell recall within about five points, and a stratum's share within about twenty.
USUAL_SIZE, USUAL_LEAST = 600, 12

DECIDED = (Decision.REJECT, Decision.PASS)
FURTHER = (Stratification.REASON, Stratification.CATEGORY, Stratification.CLIENT)
NARROWEST, PROPORTION = "Where they narrow the answer most", "In proportion to how many jobs there are"


def show_draw_button(person: Actor, job_filter: JobFilter) -> None:
    """Offer to whoever may review to draw a sample of the jobs of a filter."""
    if not person.scopes & REVIEWERS:
        return
    is_asked = st.button("Draw a sample", icon=":material/casino:", type="tertiary", key="draw_sample")
    if is_asked or was_open("sample_name"):
        draw_dialog(job_filter)


@dialog("Draw a sample", scopes=REVIEWERS, width="medium")
def draw_dialog(person: Actor, job_filter: JobFilter) -> None:
    """Ask what the sample is to be, draw it, and go to it."""
    st.write("What people say of jobs drawn at random holds for all of them, within an interval.")
    decisions = st.pills(
        "Decisions",
        DECIDED,
        selection_mode="multi",
        default=DECIDED,
        format_func=lambda decision: DECISION_WORDS[decision].capitalize(),
        help="Passed jobs show what slips through. Without them there is no recall.",
        key="sample_decisions",
    )
    job_filter = replace(job_filter, decision=tuple(decisions), spreadsheet_safe=False)
    if decisions:
        st.text(describe_filter(job_filter, longest=60, zone=browser_zone()))
    today = datetime.now(UTC).date()
    name = st.text_input("Name", f"Sample of {today:%Y-%m-%d}", max_chars=LONGEST_NAME, key="sample_name")
    size, least = st.columns(2)
    plan = Plan(
        name,
        int(size.number_input("Jobs to judge", 1, LARGEST_SAMPLE, USUAL_SIZE, key="sample_size")),
        (Stratification.DECISION, *_ask_strata(person)),
        int(
            least.number_input(
                "At least so many of each kind",
                0,
                LARGEST_SAMPLE,
                USUAL_LEAST,
                key="sample_least",
                help="Or all there are.",
            )
        ),
        seed=secrets.randbits(32),
        narrowest=st.radio("The rest", [NARROWEST, PROPORTION], key="sample_rest") == NARROWEST,
    )
    judging = _ask_judging(today)
    # Above the button: below it they would be outside the window.
    refusal = st.container()
    if st.button("Draw sample", type=emphasis(), icon=":material/casino:", key="sample_draw") or is_made():
        _draw(person, job_filter, plan, judging, refusal)


def _ask_strata(person: Actor) -> Sequence[Stratification]:
    # Reasons may quote what is withheld.
    offered = [kind for kind in FURTHER if not (person.wall.withheld and kind is Stratification.REASON)]
    chosen: Sequence[Stratification] = st.pills(
        "Tell kinds apart by decision and",
        offered,
        selection_mode="multi",
        default=offered[:1],
        format_func=lambda kind: STRATIFICATION_WORDS[kind].capitalize(),
        key="sample_strata",
    )
    return chosen


def _ask_judging(today: date) -> Judging:
    with st.expander("Who judges them, and how"):
        opinions = st.number_input("People who judge each job", 1, MOST_OPINIONS, 1, key="sample_opinions")
        is_blind = st.toggle(
            "Hide decision, reason and categories until they have been judged", value=True, key="sample_blind"
        )
        needs_categories = st.toggle(
            "Ask for the categories of each job",
            key="sample_categories",
            help="Without them nothing is known about the flags.",
        )
        people, last_day = ask_people_and_day(
            list_people(get_resources().databases.ours),
            key="sample",
            meaning="Left empty: until it is done.",
            earliest=today,
        )
    return Judging(int(opinions), is_blind, needs_categories, last_day, people)


def _draw(person: Actor, job_filter: JobFilter, plan: Plan, judging: Judging, refusal: DeltaGenerator) -> None:
    with refusals_in(refusal, "No sample was drawn."):
        if not job_filter.decision:
            raise InvalidParameter("Choose rejected or passed jobs, or both.")
        with st.spinner("Drawing …"):
            sample_id = make_once(lambda: draw_sample(get_resources().databases, person, job_filter, plan, judging))
        lead_on("quality", "See the sample", {"sample": str(sample_id)})
