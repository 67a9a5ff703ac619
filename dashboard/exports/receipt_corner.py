"""The receipt of a download in the corner of the window, while it runs and after: until somebody closes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import streamlit as st

from core.actor import Actor
from core.export.receipt_pages import page_receipts
from core.export.receipts import Status, Via
from dashboard.exports.receipt_card import MEANINGS
from dashboard.session.admission import admitted, fragment, may_be_in_dialog
from dashboard.session.resources import get_resources
from dashboard.widgets.words import name_bytes

HERE = Path(__file__).parent

# Seconds between two looks at a running export, and for how long one that has not begun is waited for.
LIVE = 2
AWAITED = timedelta(minutes=1)

# The database's clock may be a little behind this one, and a browser may ask for the file before this page hears of it.
# So a download right before, in another window say, may be taken for the one that was asked for: for so long there is a
# look whether a newer one has begun.
_BEHIND = timedelta(seconds=5)
SETTLED = timedelta(seconds=10)

SAID: dict[str, str] = {
    Status.RUNNING: "… Download running",
    Status.COMPLETE: "✓ Download complete",
    Status.INTERRUPTED: "✕ Download interrupted",
    Status.FAILED: "✕ Download failed",
}

_CORNER = st.components.v2.component(
    "fencepost_receipt_corner",
    html=(HERE / "receipt_corner.html").read_text(),
    css=(HERE / "receipt_corner.css").read_text(),
    js=(HERE / "receipt_corner.js").read_text(),
)


def await_receipt() -> None:
    """Remember that a download was asked for just now."""
    state = st.session_state
    state.update({"awaited_since": datetime.now(UTC), "awaiting": True, "receipt_before": state.get("receipt_shown")})


def show_receipt() -> None:
    """Show the receipt of what was downloaded last in this session, followed while it runs."""
    since: datetime | None = st.session_state.get("awaited_since")
    if since is not None:
        fragment(run_every=LIVE if st.session_state["awaiting"] else None)(_follow)(since)


def _follow(person: Actor, since: datetime) -> None:
    if st.session_state.get("awaited_since") != since:
        return
    newest = page_receipts(get_resources().databases, person.name, after=None, limit=5).rows
    earliest, before = since - _BEHIND, st.session_state.get("receipt_before")
    awaited = (row for row in newest if row.via == Via.DASHBOARD and row.started_at > earliest)
    receipt = next((row for row in awaited if row.export_id != before), None)
    if receipt is not None:
        st.session_state["receipt_shown"] = receipt.export_id
        rows = "1 row" if receipt.rows == 1 else f"{receipt.rows:,} rows"
        data = {
            "status": receipt.status,
            "said": SAID[receipt.status],
            "size": f"{rows} · {name_bytes(receipt.bytes)}",
            "meaning": MEANINGS[receipt.status],
            "sha256": receipt.sha256,
            "export": str(receipt.export_id),
        }
        _CORNER(key="receipt_corner", data=data, on_closed_change=admitted(_close))
    waited = datetime.now(UTC) - since
    running = waited < (AWAITED if receipt is None else SETTLED) or (
        receipt is not None and receipt.status == Status.RUNNING
    )
    if st.session_state["awaiting"] and not running and not may_be_in_dialog():
        # Whether it is looked at again is decided where the fragment is made. A dialog would be closed, with what
        # somebody is writing in it.
        st.session_state["awaiting"] = False
        st.rerun()


def _close() -> None:
    st.session_state["awaited_since"] = None
