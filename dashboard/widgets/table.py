"""How high tables are."""

# Pixels, as Streamlit draws a row and its header; a page of any size keeps the pager on the screen.
ROW_HEIGHT = 35


MOST_HEIGHT = 16 * ROW_HEIGHT
