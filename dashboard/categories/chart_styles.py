"""How charts tell things apart: each by colour and by a second sign, in light and dark, with and without colour vision.

The hues are those of Okabe and Ito ("Color Universal Design", 2008), with lightness set so that each has a contrast of
3:1 (WCAG 2.2, 1.4.11) to the light and to the dark background alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#00906a"
PURPLE = "#b8659a"
GREY = "#75808a"


# The colour of the page's text: charts are drawn as SVG, which inherits it.
TEXT = "currentColor"
_LABELS = {"labelColor": TEXT, "titleColor": TEXT}
# Streamlit's own grey for the names at axes and legends has too little contrast on a light page (WCAG 2.2, 1.4.3).
DRAWN = {"usermeta": {"embedOptions": {"renderer": "svg"}}, "config": {"axis": _LABELS, "legend": _LABELS}}


@dataclass(frozen=True, slots=True)
class Style:
    """What a thing looks like: a colour, how full its bars are, and the dashes and the marks of its line."""

    colour: str
    fullness: float = 1
    dash: tuple[int, ...] = (1, 0)
    shape: str = "circle"

    @property
    def fill(self) -> str:
        """The colour as thin as the fullness says, for Vega and CSS."""
        red, green, blue = (int(self.colour[start : start + 2], 16) for start in (1, 3, 5))
        return f"rgba({red}, {green}, {blue}, {self.fullness})"


def style_bars(field: str, styles: Mapping[str, Style]) -> dict[str, Any]:
    """Return the encodings that draw the values of a field as bars in their styles, with one legend for all of them."""
    return {
        "fill": _channel(field, styles, [style.fill for style in styles.values()]),
        "stroke": _channel(field, styles, [style.colour for style in styles.values()]),
    }


def style_lines(field: str, styles: Mapping[str, Style], *, with_marks: bool) -> dict[str, Any]:
    """Return the encodings that draw the values of a field as lines; the legend shows their marks or their dashes."""
    colours = _channel(field, styles, [style.colour for style in styles.values()])
    dashes = _channel(field, styles, [list(style.dash) for style in styles.values()])
    if not with_marks:
        stroke = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2}
        for channel in (colours, dashes):
            channel["legend"] |= stroke
        return {"color": colours, "strokeDash": dashes}
    shapes = _channel(field, styles, [style.shape for style in styles.values()])
    # Marks with dashed edges are unreadable.
    for channel in (colours, shapes):
        channel["legend"] |= {"symbolDash": [1, 0]}
    return {"color": colours, "strokeDash": dashes | {"legend": None}, "shape": shapes}


def _channel(field: str, styles: Mapping[str, Style], drawn: Sequence[Any]) -> dict[str, Any]:
    # Four names do not fit beside each other on a telephone.
    columns = len(styles) if len(styles) < 4 else 2
    legend = {"orient": "top", "direction": "horizontal", "columns": columns, "symbolSize": 140, "labelLimit": 300}
    # Of a scale of its own choice Vega-Lite takes only the ends of such a range.
    scale = {"type": "ordinal", "domain": list(styles), "range": list(drawn)}
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": legend}
