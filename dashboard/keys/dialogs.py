"""What is done to keys: create, rotate, revoke, each in a dialog of its own."""

import shlex
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import KEY_SCOPES, Actor, Scope
from core.auth.api_keys import create_key, revoke_key, rotate_key
from core.errors import InvalidParameter
from core.jobs.wall import Wall
from dashboard.keys.table import isolate, prefix
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.confirmation import confirm
from dashboard.session.new_secret import ask_to_make, close_if_done, show_new_secret
from dashboard.session.resources import get_resources
from dashboard.widgets.client_select import CHOOSE_CLIENT, ask_client

SCOPE_WORDS = {
    Scope.JOB_READ: "job:read – export jobs and read receipts",
    Scope.REVIEW_READ: "review:read – everybody's verdicts",
    Scope.ADMIN_CONFIG: "admin:config – keys, all exports, audit",
}

ONE, ALL = "One client", "All clients"
LAST_DAY, NEVER = "after a day", "never"
LIVES = {"in 30 days": 30, "in 90 days": 90, "in a year": 365}
FURTHEST = date(2999, 12, 30)

OVERLAPS = {"It ends at once": timedelta(), "24 hours": timedelta(hours=24), "7 days": timedelta(days=7)}


@dialog("Create a key", scopes=ADMINS, fresh_for="keys", width="medium", dismissible=False)
def create_dialog(person: Actor) -> None:
    """Ask what the key is to be, then show it."""
    close_if_done()
    databases, place = get_resources().databases, st.empty()
    with place.container():
        name = st.text_input("Name", placeholder="What is it for?", max_chars=200, key="key_name")
        reach = st.radio("It sees the jobs of", [ONE, ALL], horizontal=True, key="key_reach")
        client = None
        if reach == ONE:
            client = ask_client(databases.source, person.wall, placeholder=CHOOSE_CLIENT, key="key_client")
        scopes = st.multiselect(
            "It may",
            [scope for scope in KEY_SCOPES if scope in person.scopes | {Scope.REVIEW_READ}],
            default=[scope for scope in (Scope.JOB_READ,) if scope in person.scopes],
            format_func=SCOPE_WORDS.__getitem__,
            help="You can give only what you have yourself.",
            key="key_scopes",
        )
        expires_at = _ask_expiry()
        networks = st.text_input(
            "It works from",
            placeholder="anywhere, or networks such as 192.0.2.0/24, 2001:db8::/32",
            max_chars=1000,
            key="key_networks",
        )
        is_asked, refusal = ask_to_make("Create key", icon=":material/key:", key="key_create")

    def create() -> str:
        if not scopes:
            raise InvalidParameter("The key has no scope: choose what it may do.")
        return create_key(
            databases,
            person,
            name=name.strip(),
            wall=Wall(client),
            scopes=frozenset(scopes),
            expires_at=expires_at,
            networks=networks.split(","),
            longest=get_resources().settings.longest_key,
        )

    if is_asked:
        _show_new_key(place, refusal, create, can_export=Scope.JOB_READ in scopes)


@dialog("Rotate a key", scopes=ADMINS, fresh_for="keys", width="medium", dismissible=False)
def rotate_dialog(person: Actor, key_id: str, name: str, *, can_export: bool) -> None:
    """Ask how long the old key still opens, then show the new one."""
    close_if_done()
    place = st.empty()
    with place.container():
        _name_key(key_id, name)
        st.write("A new key takes its place, with the same name, client and scopes.")
        overlap = st.radio("How long should the old key keep working?", list(OVERLAPS), index=1, key="key_overlap")
        st.caption("Never longer than it would have anyway. Switch to the new key within that time.")
        is_asked, refusal = ask_to_make("Rotate key", icon=":material/autorenew:", key="key_rotate")

    def rotate() -> str:
        resources = get_resources()
        longest = resources.settings.longest_key
        return rotate_key(resources.databases, person, key_id, overlap=OVERLAPS[overlap], longest=longest)

    if is_asked:
        _show_new_key(place, refusal, rotate, can_export=can_export)


@dialog("Revoke this key?", scopes=ADMINS, fresh_for="keys", on_dismiss="rerun")
def revoke_dialog(person: Actor, key_id: str, name: str) -> None:
    """Ask once more, then revoke."""
    _name_key(key_id, name)
    st.write("Within 5 seconds it stops working, and its running exports are cut off. This cannot be undone.")
    confirm(
        "Revoke key",
        lambda: revoke_key(get_resources().databases, person, key_id),
        icon=":material/block:",
        key="key_revoke",
        keep="Keep it",
        keep_key="key_keep",
    )


def _ask_expiry() -> datetime | None:
    """Ask when a key ends; a day that is picked is its last one, in UTC."""
    longest, now = get_resources().settings.longest_key, datetime.now(UTC)
    lives = [name for name, days in LIVES.items() if longest is None or timedelta(days=days) <= longest]
    choices = [*lives, LAST_DAY, *([NEVER] if longest is None else [])]
    choice = st.selectbox("It expires", choices, index=min(1, len(choices) - 1), key="key_expires")
    if choice == NEVER:
        return None
    if choice != LAST_DAY:
        return now + timedelta(days=LIVES[choice])
    day = st.date_input(
        "Its last day (UTC)",
        now.date(),
        min_value=now.date(),
        max_value=FURTHEST if longest is None else (now + longest).date(),
        format="YYYY-MM-DD",
        key="key_day",
    )
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _show_new_key(place: DeltaGenerator, refusal: DeltaGenerator, make: Callable[[], str], *, can_export: bool) -> None:
    def explain() -> None:
        if can_export:
            st.write(
                "Try it. The first line waits for the key to be pasted, which keeps it out of the shell's history:"
            )
            st.code(example(st.context.url or ""), language="bash", wrap_lines=True)

    show_new_secret(place, refusal, make, "This is the key.", explain=explain)


def example(url: str) -> str:
    """Return commands that download the jobs of the last seven days from the server of this address."""
    parts = urlsplit(url)
    address = shlex.quote(f"{parts.scheme}://{parts.netloc}/api/v1/jobs/export")
    today = datetime.now(UTC).date()
    return (
        "read -rs FENCEPOST_KEY\n"
        f'curl -fG {address} -H "Authorization: Bearer $FENCEPOST_KEY" \\\n'
        f"  -d from={today - timedelta(days=6)}T00:00:00Z -d to={today + timedelta(days=1)}T00:00:00Z -o jobs.csv"
    )


def _name_key(key_id: str, name: str) -> None:
    """Say which key is meant. The name is somebody's own words: text, and never Markdown."""
    st.text(f"{isolate(name)}\n{prefix(key_id)}")
