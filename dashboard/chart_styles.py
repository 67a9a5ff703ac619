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


@dataclass(frozen=True, slots=True)
class Style:
    """What a thing looks like: a colour, how full its bars are, and the dashes and the marks of its line."""

    colour: str
    fullness: float = 1
    dash: tuple[int, ...] = (1, 0)
    shape: str = "circle"


def style_bars(field: str, styles: Mapping[str, Style]) -> dict[str, Any]:
    """Return the encodings that draw the values of a field in their styles, with one legend for all of them."""
    return {
        "fill": _channel(field, styles, [style.colour for style in styles.values()]),
        "stroke": _channel(field, styles, [style.colour for style in styles.values()]),
        "fillOpacity": _channel(field, styles, [style.fullness for style in styles.values()]),
    }


def style_lines(field: str, styles: Mapping[str, Style]) -> dict[str, Any]:
    return {
        "color": _channel(field, styles, [style.colour for style in styles.values()]),
        "strokeDash": _channel(field, styles, [list(style.dash) for style in styles.values()]),
        "shape": _channel(field, styles, [style.shape for style in styles.values()]),
    }


def _channel(field: str, styles: Mapping[str, Style], drawn: Sequence[Any]) -> dict[str, Any]:
    legend = {"orient": "top", "direction": "horizontal", "columns": 2, "symbolSize": 140, "labelLimit": 300}
    scale = {"domain": list(styles), "range": list(drawn)}
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": legend}
