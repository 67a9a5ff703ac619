"""What a sample is, how far it is, and what of it can be taken away."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.auth.tickets import BROWSER_COOKIE, LIFETIME, REPORT_PATH, SAMPLE_PATH, Download, Ticket
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import describe_filter
from core.quality.answers import Answer
from core.quality.file import count_sample
from core.quality.progress import Lapsed, Progress
from core.quality.sentences import say_how_drawn, say_how_judged, say_progress, say_versions
from dashboard.address.zones import browser_zone
from dashboard.quality.jobs_link import show_jobs_link
from dashboard.session.admission import EXPORTERS, fragment
from dashboard.session.resources import Resources, get_resources
from dashboard.session.step_up import may_download
from dashboard.widgets.markdown_escape import escape
from dashboard.widgets.words import name_time


def show_sample(resources: Resources, sample: Row[Any], answer: Answer) -> None:
    """Say what a sample was drawn from, and how it is judged."""
    st.header(escape(sample.name, longest=200))
    st.text(describe_filter(JobFilter.from_params(sample.filter.items()), zone=browser_zone()))
    st.text(f"{say_how_drawn(sample, answer)} Drawn {name_time(sample.drawn_at, browser_zone())}.")
    st.text(say_how_judged(sample))
    for said in say_versions(answer.versions):
        st.text(said)


def show_progress(progress: Progress) -> None:
    """Say how far a sample is, at what pace, and when it will be done."""
    share = progress.given / progress.wanted if progress.wanted else 1.0
    st.progress(min(1.0, share), say_progress(progress, browser_zone()))


def show_lapsed(sample: Row[Any], lapsed: Lapsed) -> None:
    """Say which jobs nobody can judge as they were drawn."""
    if lapsed.gone:
        jobs = "1 drawn job is" if len(lapsed.gone) == 1 else f"{len(lapsed.gone):,} drawn jobs are"
        st.warning(f"{jobs} gone, and not replaced: the figures are for the others.", icon=":material/delete:")
    if lapsed.changed:
        jobs = "1 drawn job was" if len(lapsed.changed) == 1 else f"{len(lapsed.changed):,} drawn jobs were"
        st.warning(f"{jobs} decided again before anybody judged it.", icon=":material/published_with_changes:")
        show_jobs_link("Show", lapsed.changed, sample)


# Renewed well within a ticket's life, so that a link on an open page always works.
@fragment(run_every=LIFETIME / 2)
def show_downloads(person: Actor, sample_id: UUID) -> None:
    """Offer the file of a sample, and its report."""
    browser, databases = st.context.cookies.get(BROWSER_COOKIE, ""), get_resources().databases
    ticket = urlencode(
        {
            "ticket": get_resources().office.issue(
                Ticket(Download.SAMPLE, person.name, sample_id, person.session), browser=browser
            )
        }
    )
    with st.container(horizontal=True):
        if person.scopes & EXPORTERS and may_download(person, lambda _: count_sample(databases, sample_id)):
            st.link_button(
                "Download CSV",
                f"{SAMPLE_PATH}?{ticket}",
                icon=":material/download:",
                key="download_sample",
                help="Each drawn job with its weight and its verdicts, to compute figures of your own in R or Python.",
            )
        st.link_button("Report to print", f"{REPORT_PATH}?{ticket}", icon=":material/print:", key="sample_report")
