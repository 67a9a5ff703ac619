"""How high tables are."""

# Pixels, as Streamlit draws a row and its header; a page of any size keeps the pager on the screen.
ROW_HEIGHT = 35
MOST_HEIGHT = 16 * ROW_HEIGHT


def fit_height(rows: int, most: int = MOST_HEIGHT) -> int:
    """Return the pixels of a table that shows its header and all of its rows, or scrolls from `most` on."""
    return min(most, (rows + 1) * ROW_HEIGHT + 3)
