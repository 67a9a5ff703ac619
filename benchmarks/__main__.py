"""Measure exports and pages: `make bench`, or `python -m benchmarks [--quick] [--runs N] [--large N] [--keep D]`.

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

from benchmarks.chart import draw, draw_growth
from benchmarks.exports import Ratio, against_clients, against_panels, against_psql, responsiveness
from benchmarks.growth import CHARTED, RANGES, SEARCHED, growth, searches
from benchmarks.results import RESULTS, find_section
from benchmarks.server import Bench, serving

CHART = Path(__file__).with_name("ratios.svg")
GROWTH_CHART = CHART.with_name("growth.svg")
# Of each measurement.
TIMES, QUICK_TIMES = 40, 10
# What is asked for where few rows come out of many.
PARTS = ({"decision": "reject"}, {"category": "underage"}, {"client_id": "demo-eastwind"})
TOOLS = ("psycopg", "sqlalchemy", "pandas", "uvicorn", "sqladmin", "starlette-admin")

# A figure in milliseconds of each measurement, None where there is none.
Figures = dict[str, float | None]


@click.command()
@click.option("--jobs", default=1_000_000, show_default=True)
@click.option("--large", default=10_000_000, show_default=True, help="Jobs of a second, larger table; 0 for none.")
@click.option("--runs", default=5, show_default=True, help="Runs of which the median counts.")
@click.option("--quick", is_flag=True, help="In two minutes: 120,000 jobs, one run, no larger table, nothing written.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where the tables stay, and are found the next time.")
def main(jobs: int, large: int, runs: int, keep: Path | None, *, quick: bool) -> None:
    """Measure, print and write RESULTS.md."""
    if quick:
        jobs, large, runs = 120_000, 0, 1
    grown: dict[int, Figures] = {}
    with tempfile.TemporaryDirectory() as temporary:
        directory = keep or Path(temporary)
        with serving(directory / str(jobs), jobs) as bench:
            lines = _exports(bench, runs, is_drawn=not quick)
            lines += _parts(bench, runs, jobs)
            lines += _growth(bench, jobs, grown, times=QUICK_TIMES if quick else TIMES)
        if large:
            with serving(directory / str(large), large) as bench:
                lines += _parts(bench, runs, large)
                lines += _growth(bench, large, grown, times=TIMES)
            draw_growth({name: {size: grown[size][name] for size in grown} for name in CHARTED}, GROWTH_CHART)
            lines += ["## Cost against size", "", f"![p95 of 120 days, by number of jobs]({GROWTH_CHART.name})", ""]
    if quick:
        print("\n".join(lines))
    else:
        _write(lines, jobs, runs)


def _exports(bench: Bench, runs: int, *, is_drawn: bool) -> list[str]:
    before = bench.memory("VmRSS")
    ratios, first = against_clients(bench, runs)
    one = bench.memory("VmHWM") - before
    ratios += against_panels(bench, runs)
    if is_drawn:
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


def _parts(bench: Bench, runs: int, jobs: int) -> list[str]:
    lines = [f"## A part of {jobs:,} jobs through `curl`, against psql \\copy", ""]
    lines += ["| of | ratio | ours | theirs | first byte |", "|---|---|---|---|---|"]
    for more in PARTS:
        each, first = against_psql(bench, runs, days=30, more=more)
        cells = f"**{each.ratio:.2f} ×** | {each.ours:.2f} s | {each.theirs:.2f} s | {first * 1000:.0f} ms"
        lines.append(f"| {each.rows} | {cells} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def _growth(bench: Bench, jobs: int, grown: dict[int, Figures], *, times: int) -> list[str]:
    """Measure and tell; what a chart shows is left in `grown`."""
    lines = [f"## As the range grows: {jobs:,} jobs in 120 days, p95", ""]
    found = list(growth(bench, jobs, times=times, first_bytes=0 if times == QUICK_TIMES else 5))
    grown[jobs] = {name: figures[-1] for name, figures in found}
    lines += _table([f"{days} days" for days in RANGES], found)
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
    others = "".join(map(find_section, ("The Jobs page", "Importing", "One job and its log", "Where the processor")))
    text = "\n".join([*head, *lines]).rstrip() + "\n" + others
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
