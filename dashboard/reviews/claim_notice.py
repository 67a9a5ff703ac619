"""Says when an open job is no longer kept for its reviewer."""

from uuid import UUID

import streamlit as st

from core.actor import Actor
from core.review.claims import CLAIM, find_holder, renew_claim
from dashboard.session.admission import REVIEWERS, as_person, fragment
from dashboard.session.resources import Resources, get_resources

# Seconds between two looks at whether the open job is still kept for this person.
LOOKED = 30


@fragment(run_every=LOOKED, scopes=REVIEWERS)
def watch_claim(person: Actor, job_id: UUID) -> None:
    """Say so where the job is not kept for this person any more."""
    resources = get_resources()
    holder = find_holder(resources.databases.ours, job_id)
    if holder == person.name:
        return
    if holder is not None:
        st.warning("Somebody else is on this job: skip it, or expect two reviews.", icon=":material/group:")
        return
    minutes = CLAIM.seconds // 60
    st.warning(
        f"Nothing happened here for {minutes} minutes, so others may get this job now.", icon=":material/timer_off:"
    )
    st.button("Keep it for me", key="keep_claim", on_click=as_person(_keep_claim, REVIEWERS), args=(resources, job_id))


def _keep_claim(person: Actor, resources: Resources, job_id: UUID) -> None:
    renew_claim(resources.databases.ours, person, job_id)
