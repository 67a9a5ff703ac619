"""Policy: what each category and reason means, for all who judge; admins write it."""

import streamlit as st

from core.actor import Scope
from core.jobs.filter import Category
from core.policy.texts import GENERAL, Kind, Policy, Subject, read_policy
from dashboard.address.reading import expect_no_parameters
from dashboard.address.zones import browser_zone
from dashboard.policy.edit_dialog import choose_reason_dialog, edit_dialog
from dashboard.policy.history_dialog import history_dialog, name_about
from dashboard.session.admission import ADMINS, READERS
from dashboard.session.person import find_person
from dashboard.session.resources import get_resources
from dashboard.widgets.markdown_escape import escape
from dashboard.widgets.words import name_time
from dashboard.widgets.written_text import show_written


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or not person.scopes & (READERS | ADMINS):
        st.stop()
    is_admin = Scope.ADMIN_CONFIG in person.scopes
    policy = read_policy(resources.databases.ours)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Policy")
        st.space("stretch")
        if is_admin and st.button("Write about a reason", icon=":material/add:", key="policy_reason"):
            choose_reason_dialog(policy.version)
    expect_no_parameters()
    now = f" This is version {policy.version}." if policy.version else ""
    st.caption(
        "What applies to a job stands beside it while it is judged, and each verdict keeps the version under which it "
        f"was given.{now}"
    )
    for subject in _list_subjects(policy):
        _show_text(policy, subject, is_admin=is_admin)


def _list_subjects(policy: Policy) -> list[Subject]:
    reasons = sorted((each for each in policy.texts if each.kind is Kind.REASON), key=lambda each: each.value)
    return [GENERAL, *(Subject(Kind.CATEGORY, category.value) for category in Category), *reasons]


def _show_text(policy: Policy, subject: Subject, *, is_admin: bool) -> None:
    """Show one text with its version, and what can be done with it."""
    row = policy.texts.get(subject)
    place = subject.value or subject.kind.value if row is None else row.version
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape(name_about(subject), longest=600)}**", width="content")
            st.space("stretch")
            # Together in one line, also on a telephone.
            with st.container(horizontal=True, width="content"):
                if is_admin and st.button("Edit", icon=":material/edit:", type="tertiary", key=f"edit_{place}"):
                    edit_dialog(subject, policy.version)
                if row is not None and st.button(
                    "History", icon=":material/history:", type="tertiary", key=f"history_{place}"
                ):
                    history_dialog(subject)
        if row is None:
            st.caption("Nothing is written yet.")
            return
        show_written(row.text)
        st.caption(f"Version {row.version}, {name_time(row.written_at, browser_zone())}, by {escape(row.address)}")


show()
