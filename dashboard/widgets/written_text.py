"""A text of the policy as Markdown: words, lists, tables, links. No pictures, so that nothing is fetched from anywhere.

HTML in it is text, which Streamlit sees to.
"""

import re

import streamlit as st

_JOINER = "\N{WORD JOINER}"

# What would be a picture. The joiner is not seen, so that this may be wrong about what is code.
_PICTURE = re.compile(r"!(?=\[)")

# Streamlit's own: coloured text and badges, icons and emoji by name.
_DIRECTIVE = re.compile(r":(?=[\w+-]+(?:/\w+)?[:\[])")

_CODE = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`)", re.DOTALL)
_HEADING = re.compile(r"^( {0,3})#{1,6}(?=\s)", re.MULTILINE)


def show_written(words: str) -> None:
    """Show a text of the policy."""
    st.markdown(make_plain_markdown(words))


def make_plain_markdown(words: str) -> str:
    """Return Markdown without pictures and without what Streamlit alone makes something of; headings are small."""
    parts = _CODE.split(_DIRECTIVE.sub(f":{_JOINER}", _PICTURE.sub(f"!{_JOINER}", words)))
    # Every other part is code. A dollar is a dollar, and begins no formula.
    parts[::2] = [_HEADING.sub(r"\1#####", part.replace("$", r"\$")) for part in parts[::2]]
    return "".join(parts)
