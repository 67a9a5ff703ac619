"""Every text that a run of a page sends to the browser, each with the place that it stands in."""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

OUR_CODE = ("BidiComponent.js_content", "BidiComponent.css_content", "BidiComponent.html_content")


def list_said(app: AppTest) -> list[tuple[str, str]]:
    """List all texts, with places such as `Button.label`; a cell of a table stands in `cell`."""
    return [said for node in app._tree for said in _read_node(node)]


def _read_node(node: Any) -> Iterator[tuple[str, str]]:
    proto = getattr(node, "proto", None)
    if isinstance(proto, Message):
        yield from _read(proto)
    if node.type in ("dataframe", "table"):
        # Each look at it reads the whole table anew.
        table = node.value
        for column in table.columns:
            for cell in table[column]:
                yield "cell", str(cell)


def _read(message: Message) -> Iterator[tuple[str, str]]:
    """Read the texts of a message and of those within it; bytes are no texts, and neither is code of ours."""
    name = message.DESCRIPTOR.name
    for field, value in message.ListFields():
        place = f"{name}.{field.name}"
        items = (value,) if isinstance(value, str | bytes) or not isinstance(value, Sequence) else value
        for item in items:
            if isinstance(item, Message):
                yield from _read(item)
            elif isinstance(item, str) and place not in OUR_CODE:
                yield place, item
