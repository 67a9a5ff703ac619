"""What Streamlit itself costs: a page with one fixed table of fifty rows, and a button that shows fifty others.

The peer of the Jobs page in `python -m benchmarks.pages`: no database, no filter, nothing but the table.
"""

import pandas as pd
import streamlit as st

ROWS = 50
COLUMNS = 11


def name_row(turn: int, row: int) -> str:
    """Return what stands in the first cell of a row, which no other row has in any turn."""
    return f"turn {turn} row {row}"


def show() -> None:
    st.set_page_config(layout="wide")
    turn: int = st.session_state.setdefault("turn", 0)

    def take_turn() -> None:
        st.session_state["turn"] += 1

    st.button("Apply", on_click=take_turn)
    cells = {f"column {number}": ["a cell"] * ROWS for number in range(1, COLUMNS)}
    st.dataframe(pd.DataFrame({"time": [name_row(turn, row) for row in range(ROWS)]} | cells), hide_index=True)


if __name__ == "__main__":
    show()
