"""The script that Streamlit runs for every page: who is there, then where to."""

from pathlib import Path

import streamlit as st

from core.access import Scope
from dashboard.failures import show_failure
from dashboard.people import HOW_TO_SIGN_IN, find_person
from dashboard.resources import get_resources

HERE = Path(__file__).parent

st.set_page_config(page_title="Fencepost", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large")

settings = get_resources().settings
person = find_person(settings)
if person is None:
    st.title("Fencepost")
    st.write(HOW_TO_SIGN_IN)
    st.stop()

pages = [st.Page(HERE / "views" / "jobs.py", title="Jobs", icon=":material/list:", default=True)]
if person.scopes & {Scope.JOB_READ, Scope.ADMIN_CONFIG}:
    pages.append(st.Page(HERE / "views" / "exports.py", title="Exports", icon=":material/receipt_long:"))
if Scope.ADMIN_CONFIG in person.scopes:
    pages.append(st.Page(HERE / "views" / "keys.py", title="Keys", icon=":material/key:"))
page = st.navigation(pages, position="top")
if settings.fencepost_demo:
    st.caption(
        ":orange-badge[:material/science: Demo mode] There is no sign-in here: everybody on this machine may do "
        "everything. Do not use it with real jobs."
    )
try:
    page.run()
except Exception as error:
    # Streamlit would log a trace, which may quote what the page was about to show.
    show_failure(error)
