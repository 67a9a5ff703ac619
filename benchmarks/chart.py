"""Charts as SVG: ratios as bars against a line at 1, which is the peer's own time, and cost against size."""

from collections.abc import Mapping
from html import escape
from math import log10
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


def draw_growth(costs: Mapping[str, Mapping[int, float | None]], file: Path) -> None:
    """Draw for each measurement its milliseconds by number of jobs, both on a scale of powers of ten."""
    sizes = sorted({size for each in costs.values() for size in each})
    height, bottom, right = 420, 370, 400
    greatest = max(cost or 1 for each in costs.values() for cost in each.values())
    powers = range(int(log10(max(greatest, 10))) + 2)

    def across(size: int) -> float:
        return 70 + (right - 70) * sizes.index(size) / max(len(sizes) - 1, 1)

    def up(cost: float) -> float:
        return bottom - (bottom - 50) * log10(max(cost, 1)) / powers[-1]

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        "<title>Milliseconds of each measurement by number of jobs</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="24" font-weight="bold">Milliseconds (p95) over 120 days, by number of jobs</text>',
    ]
    for power in powers:
        parts.append(f'<path d="M70 {up(10**power):.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="62" y="{up(10**power) + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    parts += [f'<text x="{across(size):.1f}" y="{bottom + 22}" text-anchor="middle">{size:,}</text>' for size in sizes]
    # Names stand beside the ends of their lines, as far apart as a line of text is high.
    lowest = float(bottom + 20)
    for name, each in sorted(costs.items(), key=lambda item: item[1].get(sizes[-1]) or 0):
        points = [(across(size), up(cost)) for size, cost in sorted(each.items()) if cost is not None]
        if not points:
            continue
        lowest = min(points[-1][1], lowest - 17)
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{line}" stroke="#1d5c63" stroke-width="1.6" fill="none"/>')
        parts.append(f'<text x="{right + 10}" y="{lowest + 4:.1f}">{escape(name)}</text>')
    parts.append("</svg>")
    file.write_text("\n".join(parts) + "\n")
