"""The script that Streamlit runs for every page: who is there, then where to."""

from pathlib import Path

import streamlit as st

from core.actor import DEMO_PERSON
from core.auth.sign_in import Visit
from core.errors import FencepostError
from core.metrics.registry import PAGE_SECONDS
from core.program import VERSION
from core.tracing import span
from dashboard.address.steps import arrive, find_page, follow_last_step, forget_steps
from dashboard.keyboard.help import show_keyboard
from dashboard.session.admission import ADMINS, EXPORTERS, READERS, REVIEWERS, forget_dialog, watch_session
from dashboard.session.connections import HEADER
from dashboard.session.person import find_visit, show_sign_in
from dashboard.session.resources import get_resources
from dashboard.session.sessions_dialog import show_person
from dashboard.widgets.failure import show_failure
from dashboard.widgets.fields import forget_forms
from dashboard.widgets.links import mend_links
from dashboard.widgets.table import place_table_tools

HERE = Path(__file__).parent

st.set_page_config(page_title="Fencepost", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large")

resources = get_resources()
settings = resources.settings
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

resources.connections.admit(st.context.headers.get(HEADER), person.session)

# Each page: its folder, which is also its address, its title, its icon, and the scopes of which one is needed.
PAGES = (
    ("jobs", "Jobs", "list", READERS),
    ("categories", "Categories", "bar_chart", READERS),
    ("reviews", "Reviews", "rate_review", REVIEWERS),
    ("quality", "Quality", "verified", READERS),
    ("policy", "Policy", "menu_book", READERS | ADMINS),
    ("exports", "Exports", "receipt_long", EXPORTERS | ADMINS),
    ("people", "People", "group", ADMINS),
    ("keys", "Keys", "key", ADMINS),
    ("webhooks", "Webhooks", "webhook", ADMINS),
    ("retention", "Retention", "lock_clock", ADMINS),
    ("audit", "Audit", "history", ADMINS),
)
pages = [
    st.Page(
        HERE / folder / "page.py",
        title=title,
        icon=f":material/{icon}:",
        url_path=folder,
        default=folder == "jobs",
    )
    for folder, title, icon, scopes in PAGES
    if person.scopes & scopes
]
asked = find_page()
page = st.navigation(pages, position="top")
if st.session_state.get("page") != page.url_path:
    # Widgets forget what they held while another page is shown: each page sets them from its address again.
    forget_forms()
    forget_steps()
    st.session_state["page"] = page.url_path
arrive(asked)
follow_last_step()
# This run draws it.
st.session_state.pop("other_job", None)
forget_dialog()
if not settings.fencepost_demo:
    show_person(person)
    watch_session(person.scopes, person.wall)
else:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Demo mode", icon=":material/science:", color="orange")
        st.caption(
            "There is no sign-in here: everybody on this machine may do everything. Do not use it with real jobs.",
            width="content",
        )
try:
    name = page.url_path or "jobs"
    with PAGE_SECONDS.labels(name).time(), span(f"page {name}", {"fencepost.page": name}, is_parent=True):
        page.run()
except Exception as error:
    # Streamlit would log a trace, which may quote what the page was about to show.
    show_failure(error)
with st.container(horizontal=True, vertical_alignment="center"):
    st.caption(f"Fencepost {VERSION}", width="content")
    mend_links()
    place_table_tools()
    show_keyboard()
