"""Searches in prompts: the index of pg_trgm, where the server has it, finds what would be found without it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text

from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.export import export
from core.jobs import query
from core.jobs import search as search_
from core.jobs.access import make_access
from core.jobs.fact_query import select_matching
from core.jobs.filter import DateRange, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_columns, page_jobs
from core.jobs.query import WHOLE, count_jobs
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.debian import find_programs, running_server
from tests.support.documents import export_document, read_records
from tests.support.examples import examples
from tests.support.rows import NOON, insert_job

RANGE = DateRange(NOON - timedelta(days=1), NOON + timedelta(days=300))

# Words that fold in ways of their own, that have no letters of ASCII, or that LIKE would take for something else.
PIECES = (
    *(
        "École",
        "ÉCOLE",
        "straße",
        "STRASSE",
        "İstanbul",
        "istanbul",
        "ΣΊΣΥΦΟΣ",
        "σίσυφος",
        "Ёлка",
        "ёлка",
        "日本の庭園",
    ),
    *("ارسم منارة", "🦊🌲", "100 %", "a_b", "a\\b", "=1+1", "x" * 300, "a prompt", "A PROMPT", "\t\n", "ﬁ", "ǅ"),
)


@pytest.fixture(scope="module", params=["C", "C.UTF-8"])
def indexed(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """A migrated database on a server that has pg_trgm, with jobs for all pieces and pairs of them."""
    with running_server(find_programs("pg_trgm"), locale=request.param) as url:
        settings_ = Settings(database_url=SecretStr(url))
        migrate(settings_)
        with psycopg.connect(url, autocommit=True) as connection:
            for number, first in enumerate(PIECES):
                for second in ("", *PIECES[number % 5 :: 5]):
                    insert_job(connection, prompt=f"{first} {second}".strip(" "))
            # With others beside it, an index of so few jobs would be used now and then only.
            connection.execute("DROP INDEX jobs_created_at, jobs_client, jobs_type")
            connection.execute("DROP INDEX jobs_status")
            connection.execute("VACUUM (ANALYZE) jobs")
        databases = open_databases(settings_)
        yield databases
        databases.close()


def search(databases: Databases, sought: str, **session: str) -> tuple[list[Any], str]:
    """Return the ids of the jobs whose prompts contain a text, and the plan by which they were found."""
    access = make_access(databases, Wall(None))
    searching = select_matching(
        page_columns(Texts.NONE, access),
        JobFilter(range=RANGE, q=sought),
        access,
        WHOLE,
        is_newest_first=True,
        limit=10_000,
        by_facts=False,
    )
    with databases.source.transaction() as connection:
        for name, value in session.items():
            connection.execute(text(f"SET LOCAL {name} = {value}"))
        found = sorted(row.job_id for row in connection.execute(searching))
        plan = connection.execute(
            text("EXPLAIN " + str(searching.compile(connection, compile_kwargs={"literal_binds": True})))
        )
        return found, "\n".join(line for (line,) in plan)


parts = st.sampled_from(PIECES).flatmap(
    lambda piece: st.tuples(st.integers(0, len(piece)), st.integers(1, 12)).map(
        lambda cut: piece[cut[0] : cut[0] + cut[1]] or piece[:1]
    )
)
sought_texts = (parts | parts.map(str.upper) | parts.map(str.lower) | st.tuples(parts, parts).map(" ".join)).filter(
    lambda sought: 0 < len(sought) <= 500
)


@examples(25)
@given(sought=sought_texts)
def test_the_index_changes_no_result(indexed: Databases, sought: str) -> None:
    """Whatever the locale of the database, the index of searches neither adds nor drops a job."""
    with_index, plan = search(indexed, sought)
    without, other_plan = search(indexed, sought, enable_bitmapscan="off")

    assert "jobs_prompt_search" in plan
    assert "jobs_prompt_search" not in other_plan
    assert with_index == without


@pytest.mark.parametrize(
    ("small", "large"),
    [("école", "ÉCOLE"), ("σίσυφος", "ΣΊΣΥΦΟΣ"), ("ίσ", "ΊΣ"), ("ίς", "ΊΣ")],
    ids=["acute", "a sigma that ends a word", "one within a word", "one that ends what is sought"],
)
def test_case_is_folded_for_all_letters(indexed: Databases, small: str, large: str) -> None:
    """A search finds letters beyond ASCII in either case, by the index, also under the locale C."""
    found_small, plan = search(indexed, small)
    found_large, _ = search(indexed, large)

    assert "jobs_prompt_search" in plan
    assert found_small == found_large
    assert len(found_small) > 10


@pytest.mark.parametrize("sought", ["A prompt", "ёлка", "é", "nowhere"])
def test_pages_and_counts_agree_whichever_way_finds_them(
    indexed: Databases, monkeypatch: pytest.MonkeyPatch, sought: str
) -> None:
    """A search that is given up in one way is done in another, with the same page and count."""
    job_filter = JobFilter(range=RANGE, q=sought)
    access = make_access(indexed, Wall(None))
    found = []

    # Time stands still, so that a slow machine gives nothing up.
    monkeypatch.setattr(search_, "monotonic", lambda: 0.0)
    # In order; by the index as soon as the first jobs were looked at; in order after the index was given up.
    for soon, limit in ((60, 1_000), (-1, 1_000), (-1, 1)):
        monkeypatch.setattr(search_, "SOON", soon)
        monkeypatch.setattr(search_, "FIRST_JOBS", 5)
        monkeypatch.setattr(query, "INDEX_LIMIT", limit)
        with indexed.source.transaction() as connection:
            page = page_jobs(connection, job_filter, access, after=None, limit=20, texts=Texts.ALL)
            count = count_jobs(connection, job_filter, access)
            kept = connection.execute(text("SHOW statement_timeout")).scalar_one()
        found.append((page, count, kept))

    assert found[0] == found[1] == found[2]
    assert found[0][1] == len(search(indexed, sought)[0])
    assert found[0][2] == "15s"


def test_an_export_of_a_search_is_the_same_by_index_or_in_order(
    indexed: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is rare is exported by the index of searches, byte for byte as in the order of time."""
    job_filter = JobFilter(range=RANGE, q="école")

    body = export_document(indexed, job_filter, workers=2)

    monkeypatch.setattr(export, "FEW", -1)
    assert body == export_document(indexed, job_filter, workers=2)
    assert len(read_records(body)) == len(search(indexed, "École")[0]) > 10


def test_without_pg_trgm_there_is_no_such_index(server: TestServer, connection: psycopg.Connection) -> None:
    """A server without the extension gets all other indexes, and searches all the same."""
    found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'pg_trgm'").fetchall()
    made = connection.execute("SELECT FROM pg_indexes WHERE indexname = 'jobs_prompt_search'").fetchall()

    assert len(made) == len(found)
