"""Measure exports and pages: `make bench`, or `python -m benchmarks [--runs N] [--large N] [--keep DIRECTORY]`.

Makes PostgreSQL servers of its own with demo jobs, measures in alternation against what people use today, and writes
`benchmarks/RESULTS.md` with its chart. Needs Linux (memory is read from /proc), `curl`, `psql` and
`requirements-bench.txt`.
"""

import os
import platform
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from math import isinf
from pathlib import Path

import click

from benchmarks.chart import draw
from benchmarks.exports import Ratio, against_clients, against_panels, responsiveness
from benchmarks.growth import RANGES, SEARCHED, growth, searches
from benchmarks.results import RESULTS, find_section
from benchmarks.server import Bench, serving

CHART = Path(__file__).with_name("ratios.svg")
TOOLS = ("psycopg", "sqlalchemy", "pandas", "uvicorn", "sqladmin", "starlette-admin")


@click.command()
@click.option("--jobs", default=1_000_000, show_default=True)
@click.option("--large", default=10_000_000, show_default=True, help="Jobs of a second, larger table; 0 for none.")
@click.option("--runs", default=5, show_default=True, help="Runs of which the median counts.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where the tables stay, and are found the next time.")
def main(jobs: int, large: int, runs: int, keep: Path | None) -> None:
    """Measure, print and write RESULTS.md."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = keep or Path(temporary)
        with serving(directory / str(jobs), jobs) as bench:
            lines = _exports(bench, runs)
            lines += _growth(bench, jobs)
        if large:
            with serving(directory / str(large), large) as bench:
                lines += _growth(bench, large)
    _write(lines, jobs, runs)


def _exports(bench: Bench, runs: int) -> list[str]:
    before = bench.memory("VmRSS")
    ratios, first = against_clients(bench, runs)
    one = bench.memory("VmHWM") - before
    ratios += against_panels(bench, runs)
    draw(ratios, CHART)
    lines = ["## The endpoint through `curl`, against", ""]
    lines += ["| peer | ratio | ours | theirs | of |", "|---|---|---|---|---|"]
    lines += [_row(each) for each in ratios]
    lines += ["", f"![The same as bars]({CHART.name})", "", f"First byte of all jobs: {first * 1000:.0f} ms.", ""]
    lines += ["## While exports run", "", "| exports | `/health`, p95 | a page of 50 jobs, p95 |", "|---|---|---|"]
    for exports in (0, 1, 4):
        health, page = responsiveness(bench, exports)
        lines.append(f"| {exports} | {health:.0f} ms | {page:.0f} ms |")
    four = bench.memory("VmHWM") - before
    return [*lines, "", f"Memory of the server: + {one:.0f} MB with one export, + {four:.0f} MB with four.", ""]


def _growth(bench: Bench, jobs: int) -> list[str]:
    lines = [f"## As the range grows: {jobs:,} jobs in 120 days, p95", ""]
    lines += _table([f"{days} days" for days in RANGES], growth(bench, jobs))
    lines += ["Searches without `pg_trgm`, once each:", ""]
    return lines + _table([f"{days} days" for days in SEARCHED], searches(bench))


def _table(heads: list[str], rows: Iterable[tuple[str, list[float | None]]]) -> list[str]:
    lines = [f"| | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    for name, figures in rows:
        cells = ["" if figure is None else "over 120 s" if isinf(figure) else f"{figure:.0f} ms" for figure in figures]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def _row(each: Ratio) -> str:
    return f"| {each.peer} | **{each.ratio:.2f} ×** | {each.ours:.1f} s | {each.theirs:.1f} s | {each.rows} |"


def _write(lines: list[str], jobs: int, runs: int) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    head = [
        "# Results",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {machine}; embedded PostgreSQL 18, {versions}.",
        f"Exports: {jobs:,} demo jobs, median of {runs} runs in alternation. Made by `make bench`.",
        "The machine is small and noisy: the ratios count.",
        "",
    ]
    # These are measured by programs of their own.
    others = find_section("The Jobs page") + find_section("Importing")
    text = "\n".join([*head, *lines]).rstrip() + "\n" + others
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
