"""Choose a file and learn its facts: it is read and hashed in the browser, and its content never leaves it."""

import re
from pathlib import Path
from typing import Any

import streamlit as st

from core.export.job_columns import HEADER
from core.export.verification import Inspection

HERE = Path(__file__).parent

# Pixels that the field takes before a file is chosen, in a window that is not narrow.
HEIGHT = 135

_FILE_CHECK = st.components.v2.component(
    "fencepost_file_check",
    html=(HERE / "file_check.html").read_text(),
    css=(HERE / "file_check.css").read_text(),
    js=(HERE / "file_check.js").read_text(),
)


def ask_for_file(place: str) -> Inspection | None:
    """Show the field for a file; return the facts of the one that was chosen last in this place, or None.

    Elsewhere the field is another one, in which no file is chosen.
    """
    answer = _FILE_CHECK(
        key=f"file_check_{place}",
        data={"worker": (HERE / "file_facts.js").read_text(), "header": HEADER.decode()},
        on_facts_change=lambda: None,
        # As much as it needs: else there is a line of a place until it is loaded, and then all that is below moves.
        height=HEIGHT,
    )
    return parse_facts(answer.facts)


def parse_facts(facts: Any) -> Inspection | None:
    """Turn what a browser sends into the facts of a file; None where it is anything else."""
    match facts:
        case {
            "bytes": int(size),
            "sha256": str(sha256),
            "has_bom": bool(has_bom),
            "has_header": bool(has_header),
            "records": int(records),
            "blank_lines": int(blank_lines),
            "is_closed": bool(is_closed),
        } if size >= records >= 0 and size >= blank_lines >= 0 and re.fullmatch("[0-9a-f]{64}", sha256):
            return Inspection(size, sha256, has_bom, has_header, records, blank_lines, is_closed)
    return None
