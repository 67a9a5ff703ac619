"""A chart of ratios as SVG: bars against a line at 1, which is the peer's own time."""

from html import escape
from pathlib import Path

from benchmarks.exports import Ratio

WIDTH, ROW, LEFT = 760, 34, 330


def draw(ratios: list[Ratio], file: Path) -> None:
    """Draw a bar for each ratio, with its value; readable on light and on dark."""
    scale = (WIDTH - LEFT - 70) / max(1.0, *(each.ratio for each in ratios))
    height = ROW * len(ratios) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="14">',
        "<title>Time of the endpoint as a share of each peer's time</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="24" font-weight="bold">Time of the endpoint, each peer\'s own time being 1</text>',
    ]
    for number, each in enumerate(ratios):
        top = 40 + ROW * number
        end = LEFT + each.ratio * scale
        parts += [
            f'<text x="{LEFT - 10}" y="{top + 18}" text-anchor="end">{escape(each.peer)}</text>',
            f'<rect x="{LEFT}" y="{top + 3}" width="{end - LEFT:.1f}" height="{ROW - 12}" fill="#1d5c63"/>',
            f'<text x="{end + 6:.1f}" y="{top + 18}">{each.ratio:.2f}</text>',
        ]
    line = LEFT + scale
    parts.append(f'<path d="M{line:.1f} 34V{height - 16}" stroke="#a33" stroke-dasharray="4 3"/></svg>')
    file.write_text("\n".join(parts) + "\n")
