"""The script that Streamlit runs for every page: who is there, then where to."""

from pathlib import Path

import streamlit as st

from core.access import DEMO_PERSON, Scope
from core.errors import FencepostError
from core.people import Visit
from dashboard.failures import show_failure
from dashboard.keyboard import show_keyboard
from dashboard.people import find_visit, show_person, show_sign_in, watch_session
from dashboard.resources import get_resources

HERE = Path(__file__).parent

st.set_page_config(page_title="Fencepost", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large")

settings = get_resources().settings
try:
    visit = Visit(DEMO_PERSON, "") if settings.fencepost_demo else find_visit()
except FencepostError as error:
    # Nobody is shown anything while it is not known who they are.
    show_failure(error)
    st.stop()
person = None if visit is None else visit.actor
if person is None:
    show_sign_in(visit)
    st.stop()

pages = []
if Scope.JOB_READ in person.scopes:
    pages.append(st.Page(HERE / "views" / "jobs.py", title="Jobs", icon=":material/list:", default=True))
    pages.append(st.Page(HERE / "views" / "categories.py", title="Categories", icon=":material/bar_chart:"))
    pages.append(st.Page(HERE / "views" / "reviews.py", title="Reviews", icon=":material/rate_review:"))
if person.scopes & {Scope.JOB_READ, Scope.ADMIN_CONFIG}:
    pages.append(st.Page(HERE / "views" / "exports.py", title="Exports", icon=":material/receipt_long:"))
if Scope.ADMIN_CONFIG in person.scopes:
    pages.append(st.Page(HERE / "views" / "keys.py", title="Keys", icon=":material/key:"))
    pages.append(st.Page(HERE / "views" / "audit.py", title="Audit", icon=":material/history:"))
page = st.navigation(pages, position="top")
if st.session_state.get("page") != page.url_path:
    # Widgets forget what they held while another page is shown: each page sets them from its address again.
    st.session_state["page"] = page.url_path
    st.session_state.pop("address", None)
if not settings.fencepost_demo:
    show_person(person)
    watch_session(person)
else:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Demo mode", icon=":material/science:", color="orange")
        st.caption(
            "There is no sign-in here: everybody on this machine may do everything. Do not use it with real jobs.",
            width="content",
        )
try:
    page.run()
except Exception as error:
    # Streamlit would log a trace, which may quote what the page was about to show.
    show_failure(error)
show_keyboard()
