"""How every page reads its address: where that is wrong, it says so and shows its default view."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from core.errors import InvalidParameter

T = TypeVar("T")


def read_or_default(
    parse: Callable[[list[tuple[str, str]]], T], default: Callable[[], T], *, named: str = "the default view"
) -> T:
    """Parse the address of this page; where that raises `InvalidParameter`, say it and return the default."""
    given = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    try:
        return parse(given)
    except InvalidParameter as error:
        st.error(f"This address is not valid, so you are seeing {named}.", icon=":material/link_off:")
        # The message may repeat what stood in the address: it is shown as text, never as Markdown.
        st.text(str(error))
        return default()


def expect_no_parameters() -> None:
    """Say of the address of a page without any parameters that it is wrong, where it has some."""
    read_or_default(_parse_nothing, lambda: None, named="the whole page")


def _parse_nothing(given: list[tuple[str, str]]) -> None:
    if given:
        raise InvalidParameter("This page takes no parameters: remove everything after ? from its address.")
