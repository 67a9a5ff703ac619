"""What pages and first bytes cost as the table and the range grow: database time alone, and curl's first byte."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from benchmarks.figures import p95, seconds
from benchmarks.server import UNTIL, Bench
from core.actor import COMMAND_LINE
from core.counts.by_day import combine_by_day, count_in_time
from core.counts.totals import compare
from core.errors import QueryTooSlow
from core.intake.demo_texts import OTHER_REASONS
from core.jobs.access import make_access
from core.jobs.filter import DateRange, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_jobs
from core.jobs.query import PageKey
from core.jobs.reasons import count_reasons
from core.jobs.wall import Wall
from core.quality.samples import Plan, draw_sample

FILTERS: dict[str, dict[str, str]] = {
    "all jobs": {},
    "rejected": {"decision": "reject"},
    "undecided": {"decision": "undecided"},
    "one client": {"client_id": "demo-eastwind"},
    "one status": {"status": "failed"},
    "one type": {"type": "video"},
    "underage": {"category": "underage"},
    "underage and passed": {"category": "underage", "decision": "pass"},
    "underage, passed, a small client": {"category": "underage", "decision": "pass", "client_id": "demo-eastwind"},
    "two cells empty": {"evaluated": "true", "category_underage": "empty", "category_nsfw": "empty"},
    "three cells": {"category_ai_adult_general": "false", "category_underage": "true", "category_nsfw": "false"},
    "one reason": {"reason": OTHER_REASONS[1]},
}
# What a chart shows, of the whole time.
CHARTED = (
    *(f"first page, {name}" for name in ("all jobs", "underage, passed, a small client", "two cells empty")),
    *(f"count to 10,000, {name}" for name in ("rejected", "underage and passed", "one reason")),
    *("days of a breakdown", "totals and those before", "reasons"),
)
RANGES = (1, 7, 30, 120)
# Each takes seconds, because the server is let forget the one before.
FIRST_BYTES = (30, 120)
SOUGHT = {"a common word": "lighthouse", "a text that is nowhere": "no prompt says this"}
SEARCHED = (7, 366)


def growth(bench: Bench, jobs: int, *, times: int, first_bytes: int) -> Iterator[tuple[str, list[float | None]]]:
    """Yield what was measured, and a figure for each of RANGES in milliseconds."""
    for name, given in FILTERS.items():
        asked = [_filter(days, given) for days in RANGES]
        yield f"first page, {name}", [_page(bench, job_filter, None, times=times) for job_filter in asked]
        yield f"count to 10,000, {name}", [_count(bench, job_filter, times) for job_filter in asked]
    for name, given in FILTERS.items():
        deep = _page(bench, _filter(RANGES[-1], given), _deep_key(bench, jobs), times=times)
        yield f"a page nine tenths down, {name}", [None, None, None, deep]
    yield "days of a breakdown", [_breakdown(bench, _filter(days, {}), times) for days in RANGES]
    yield "totals and those before", [_totals(bench, _filter(days, {}).range, times) for days in RANGES]
    yield "reasons", [_reasons(bench, _filter(days, {}), times) for days in RANGES]
    yield "500 drawn by chance", [_draw(bench, _filter(days, {}), number) for number, days in enumerate(RANGES)]
    for name, given in FILTERS.items() if first_bytes else ():
        more = "".join(f"&{key}={quote(value)}" for key, value in given.items())
        yield (
            f"first byte of an export, {name}",
            [_first_byte(bench, days, more, first_bytes) if days in FIRST_BYTES else None for days in RANGES],
        )


def searches(bench: Bench) -> Iterator[tuple[str, list[float | None]]]:
    """Yield what was sought, and the milliseconds to the first page of SEARCHED days, once each."""
    for name, sought in SOUGHT.items():
        yield f"first page, {name}", [_page(bench, _filter(days, {"q": sought}), None, times=1) for days in SEARCHED]


def _filter(days: int, given: dict[str, str]) -> JobFilter:
    plain = JobFilter(range=DateRange(UNTIL - timedelta(days=days), UNTIL))
    return JobFilter.from_params((plain.to_params() | given).items())


def _page(bench: Bench, job_filter: JobFilter, after: PageKey | None, *, times: int) -> float:
    source = bench.databases.source

    def read() -> None:
        with source.transaction(timeout=120, is_snapshot=True) as connection:
            page_jobs(
                connection, job_filter, make_access(bench.databases, Wall(None)), after=after, limit=50, texts=Texts.ALL
            )

    return _measure(read, times)


def _count(bench: Bench, job_filter: JobFilter, times: int) -> float:
    source = bench.databases.source

    def count() -> None:
        with source.transaction(timeout=120, is_snapshot=True) as connection:
            count_in_time(connection, job_filter, make_access(bench.databases, Wall(None)), limit=10_001)

    return _measure(count, times)


def _breakdown(bench: Bench, job_filter: JobFilter, times: int) -> float:
    source = bench.databases.source

    def count() -> None:
        with source.transaction(timeout=120, is_snapshot=True) as connection:
            combine_by_day(connection, job_filter, make_access(bench.databases, Wall(None)), ZoneInfo("UTC"))

    return _measure(count, times)


def _totals(bench: Bench, bounds: DateRange, times: int) -> float:
    source = bench.databases.source

    def count() -> None:
        with source.transaction(timeout=120, is_snapshot=True) as connection:
            compare(connection, bounds, None, make_access(bench.databases, Wall(None)), bounds.end)

    return _measure(count, times)


def _reasons(bench: Bench, job_filter: JobFilter, times: int) -> float:
    source = bench.databases.source

    def count() -> None:
        with source.transaction(timeout=120, is_snapshot=True) as connection:
            count_reasons(connection, job_filter, make_access(bench.databases, Wall(None)))

    return _measure(count, times // 4)


def _draw(bench: Bench, job_filter: JobFilter, seed: int) -> float:
    plan = Plan(name="benchmark", size=500, seed=seed)
    return _measure(lambda: draw_sample(bench.databases, COMMAND_LINE, job_filter, plan), 3)


def _first_byte(bench: Bench, days: int, more: str, times: int) -> float:
    start = UNTIL - timedelta(days=days)
    return p95([bench.first_byte(start, UNTIL, more) for _ in range(times)])


def _measure(work: Callable[[], object], times: int) -> float:
    try:
        return p95([seconds(work) for _ in range(times)])
    except QueryTooSlow:
        return float("inf")


def _deep_key(bench: Bench, jobs: int) -> PageKey:
    """Find the job nine tenths down the list."""
    with bench.databases.source.transaction(timeout=120, is_snapshot=True) as connection:
        row = connection.exec_driver_sql(
            f"SELECT created_at, job_id FROM jobs ORDER BY created_at DESC, job_id DESC OFFSET {jobs * 9 // 10} LIMIT 1"
        ).one()
    return PageKey(*row)
