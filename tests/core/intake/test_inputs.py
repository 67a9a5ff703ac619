"""Files that people really have: each as it comes, and what must come out of it, one line each."""

import gzip
import io
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.actor import COMMAND_LINE
from core.csv.format import BOM
from core.db.databases import Databases
from core.errors import NotPossible
from core.export.job_columns import COLUMNS, HEADER
from core.intake.importer import Imported, import_jobs
from core.intake.job_file import JobFile
from tests.support.documents import april, export_document, read_records
from tests.support.memory import measured_memory
from tests.support.rows import insert_job, insert_log

ID = "00000000-0000-4000-8000-0000000000{:02}"
HEAD = HEADER.decode()
OWN = f"{ID.format(1)},prompt,completed,true,2026-04-15T10:00:00.000000Z,,a prompt,,true,,false\n"
TWO = f"{ID.format(2)},prompt,completed,true,2026-04-15T10:00:00.000000Z,,another,,,,\n"

# What is stored of a job, in the order of the columns of an export.
STORED = "true", "2026-04-15 10:00:00+00", None, "a prompt", None, True, None, False


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests: none of them changes what another sees."""
    return emptied_url


def take(databases: Databases, data: bytes | str, **options: Any) -> Imported:
    file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return import_jobs(databases, JobFile(file=file, name="a.csv", client_id="acme", **options), COMMAND_LINE)


def refuse(databases: Databases, data: bytes | str, **options: Any) -> str:
    with pytest.raises(NotPossible) as refused:
        take(databases, data, **options)
    return str(refused.value)


def stored(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("""
        SELECT is_prohibited::text, (jobs.created_at AT TIME ZONE 'UTC')::text || '+00', completed_at, prompt, reason,
            category_ai_adult_general, category_underage, category_nsfw
        FROM jobs LEFT JOIN moderation_logs USING (job_id) ORDER BY job_id
    """).fetchall()


def with_cells(**cells: str) -> str:
    values = dict(zip(COLUMNS, OWN.strip().split(","), strict=True)) | cells
    return HEAD + ",".join(values[column] for column in COLUMNS) + "\n"


def with_time(time: str) -> str:
    return with_cells(created_at=time)


REORDERED = "\t".join(reversed(COLUMNS)) + "\n" + "\t".join(reversed(OWN.strip().split(","))) + "\n"

# Each is the job OWN, as another tool would write it.
SAME = {
    "the export's own form": BOM.decode() + HEAD + OWN,
    "TRUE": with_cells(is_prohibited="TRUE", category_ai_adult_general="TRUE", category_nsfw="FALSE"),
    "True, as pandas": with_cells(is_prohibited="True", category_ai_adult_general="True", category_nsfw="False"),
    "t, as psql": with_cells(is_prohibited="t", category_ai_adult_general="t", category_nsfw="f"),
    "1": with_cells(is_prohibited="1", category_ai_adult_general="1", category_nsfw="0"),
    "all cells in quotes": HEAD + ",".join(f'"{cell}"' if cell else "" for cell in OWN.strip().split(",")) + "\n",
    "a space for T, as pandas": with_time("2026-04-15 10:00:00+00:00"),
    "+00, as psql": with_time("2026-04-15 10:00:00+00"),
    "+0000": with_time("2026-04-15T10:00:00+0000"),
    "UTC": with_time("2026-04-15 10:00:00 UTC"),
    "another zone": with_time("2026-04-15 12:00:00+02"),
    "without seconds": with_time("2026-04-15T10:00Z"),
    "slashes, the year first": with_time("2026/04/15 10:00:00Z"),
    "lower case": with_time("2026-04-15t10:00:00z"),
    "beyond the microsecond": with_time("2026-04-15T10:00:00.000000999Z"),
    "spaces around": with_cells(is_prohibited=" true ", job_id=" " + ID.format(1)),
    "an id in upper case": with_cells(job_id=ID.format(1).upper()),
    "blank lines": HEAD + "\n\r\n" + OWN + "\n\n",
    "rows of delimiters": HEAD + ",,,,\n" + OWN + ",,,,,,,,,,\n",
    "no end, false": HEAD + OWN[:-1],
    "no end, FALSE": with_cells(category_nsfw="FALSE")[:-1],
    "no end, quoted": with_cells(category_nsfw='"false"')[:-1],
    "CRLF": (HEAD + OWN).replace("\n", "\r\n"),
    "CRLF and LF": HEAD.replace("\n", "\r\n") + OWN,
    "a mark at the beginning, three times": BOM.decode() * 3 + HEAD + OWN,
    "upper-case header": HEAD.upper() + OWN,
    "spaces in the header": HEAD.replace(",", " , ") + OWN,
    "semicolons": (HEAD + OWN).replace(",", ";"),
    "tabs, reordered": REORDERED,
    "Excel's line of the delimiter": "sep=;\n" + (HEAD + OWN).replace(",", ";"),
    "further columns": (HEAD + OWN).replace("\n", ",category_other,note\n", 1).replace("false\n", "false,true,x\n"),
}


@pytest.mark.parametrize("data", SAME.values(), ids=SAME)
def test_a_file_that_one_has_touched_comes_back(
    databases: Databases, connection: psycopg.Connection, data: str
) -> None:
    """It is the same job, and the export's own file brings nothing new afterwards."""
    imported = take(databases, data)
    again = take(databases, HEAD + OWN)

    assert (imported.inserted, imported.logs, imported.skipped) == (1, 1, 0)
    assert stored(connection) == [STORED]
    assert (again.inserted, again.updated, again.unchanged, again.logs) == (0, 0, 1, 0)


WRONG = {
    "a bare quote": (
        HEAD + f'{ID.format(23)},prompt,completed,true,2026-11-21T10:00:00Z,,a 5" disk,,,,\n'
        + f'{ID.format(24)},prompt,completed,true,2026-11-21T10:00:01Z,,a 7" disk,,,,\n',
        "a.csv, line 2 (record 1): prompt: a quote stands within it, but none around it.",
    ),
    "text behind a quote": (
        with_cells(prompt='"say "hello" now"'), "line 2 (record 1): prompt: text follows the quote that closes it."
    ),
    "backslashes": (with_cells(prompt=r'"say \"hello\" now"'), "prompt: text follows the quote that closes it."),
    "a number as the reason": (with_cells(reason=' "x"'), "reason: a quote stands within it, but none around it."),
    "a line further down": (
        HEAD + OWN.replace("a prompt", '"a\nb"') + "\n" + TWO.replace("completed", "done"),
        "a.csv, line 5 (record 3): status is 'done'",
    ),
    "rejected as a status": (
        with_cells(status="rejected"),
        "status is 'rejected', where it should be queued, processing, completed, failed: a decision belongs in "
        "is_prohibited, as true (rejected) or false (passed).",
    ),
    "rejected as a decision": (with_cells(is_prohibited="rejected"), "nothing: true is rejected, false is passed."),
    "a date": (
        with_time("2026-04-15"),
        "created_at is '2026-04-15', a date without its time of day: write the time, too, as in 2026-04-15T00:00:00Z.",
    ),
    "no zone": (
        with_time("2026-04-15 10:00:00"),
        "created_at is '2026-04-15 10:00:00', a time without its time zone: add Z where it is UTC, else an offset",
    ),
    "day or month": (with_time("04/05/2026 10:00"), "where day, month and time zone can be misread: write it as a"),
    "days": (with_time("46127.4166666667"), "a spreadsheet's number of days: let it show the column as text"),
    "an empty end": (HEAD + OWN + TWO[:-1], "a.csv is cut: its last record has no end."),
    "half a word": (HEAD + OWN[:-3], "a.csv is cut: its last record has no end."),
    "a letter": (with_cells(category_nsfw="t")[:-1], "a.csv is cut: its last record has no end."),
    "a text at the end": (
        "\n".join(",".join(line.split(",")[::-1]) for line in (HEAD + OWN).splitlines()), "a.csv is cut: its last"
    ),
    "a long type": (with_cells(type="x" * 4_000), "type has more than 1,000 bytes, where it should be a word or two."),
    r"psql's text format": (
        (HEAD + OWN).replace(",", "\t").replace("a prompt\t", "a prompt\t\\N"),
        r"it is in PostgreSQL's text format, where \N is nothing and a backslash is no backslash: write the file",
    ),
    r"psql with NULL '\N'": (
        with_cells(category_underage=r"\N"),
        r"it should be true, false or nothing: for nothing write nothing, without NULL '\N'.",
    ),
    "no categories": (
        HEAD.split(",category")[0] + "\n" + OWN.split(",true,,false")[0] + "\n",
        "it lacks category_ai_adult_general, category_underage, category_nsfw: give --without-categories to import it",
    ),
    "guards": (
        with_cells(prompt="'=1+1"),
        "a.csv was probably written for a spreadsheet: 1 cell begins with a guard ('), and none lacks one. Give "
        "--spreadsheet-safe to take the guards off, or --no-spreadsheet-safe if they are part of the text.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "sentence"), WRONG.values(), ids=WRONG)
def test_what_can_be_misread_is_refused_in_a_sentence(
    databases: Databases, connection: psycopg.Connection, data: str, sentence: str
) -> None:
    """Line, record and column are named, and what was probably meant; nothing is imported."""
    assert sentence in refuse(databases, data)
    assert stored(connection) == []


def test_a_wrong_record_is_set_aside_alone(databases: Databases, connection: psycopg.Connection) -> None:
    """With a place for it the records around it are imported, and it is kept as it was found."""
    aside = io.BytesIO()
    bad = OWN.replace("a prompt", 'a 5" disk')

    imported = take(databases, HEAD + bad + TWO, skipped=aside)

    assert (imported.inserted, imported.skipped) == (1, 1)
    assert aside.getvalue().decode() == f'a.csv,1,"prompt: a quote stands within it, but none around it",{bad}'


def test_what_is_set_aside_stands_below_the_columns_of_an_export(databases: Databases) -> None:
    """Also from a file with other delimiters and another order."""
    aside = io.BytesIO()

    take(databases, REORDERED.replace("completed\t", "done\t"), skipped=aside)

    assert aside.getvalue().decode().endswith('failed",' + OWN.replace("completed", "done"))


def test_files_without_categories_are_imported_when_asked(databases: Databases, connection: psycopg.Connection) -> None:
    """No log is made of what is not there; a delimiter that is named is not looked for."""
    data = (HEAD.split(",category")[0] + "\n" + OWN.split(",true,,false")[0] + "\n").replace(",", "|")

    imported = take(databases, data, has_categories=False, delimiter="|")

    assert (imported.inserted, imported.logs) == (1, 0)
    assert stored(connection) == [(*STORED[:5], None, None, None)]


def test_the_api_key_of_a_job_is_kept_beside_it(databases: Databases, connection: psycopg.Connection) -> None:
    """Newer exports tell it; an older one, and an empty cell, take nothing away, and it is filled in where it lacks."""
    head = HEAD.replace("\n", ",api_key_id,api_key_name,category_other\n")
    newer = head + OWN.replace("\n", ',key_1,"Mobile, app",true\n') + TWO.replace("\n", ',,"",\n')
    keys = "SELECT api_key_id, api_key_name FROM jobs ORDER BY job_id"

    took = [take(databases, data) for data in (HEAD + OWN, newer, newer, with_cells(completed_at="2026-04-15T11:00Z"))]

    assert connection.execute(keys).fetchall() == [("key_1", "Mobile, app"), (None, None)]
    assert [(each.inserted, each.updated, each.unchanged) for each in took] == [
        (1, 0, 0), (1, 1, 0), (0, 0, 2), (0, 1, 0)
    ]  # fmt: skip
    assert took[1].ignored_columns == ("category_other",)


def test_a_second_run_mends_texts_that_were_stored_with_their_guards(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """What the first run stored is corrected, and what somebody has changed since is not."""
    data = with_cells(prompt="'=1+1", reason="''x") + TWO.replace("another", "'@x")
    take(databases, data, spreadsheet_safe=False)
    connection.execute(f"UPDATE jobs SET prompt = '''-y' WHERE job_id = '{ID.format(2)}'".encode())

    mended = take(databases, data, spreadsheet_safe=True)
    again = take(databases, data, spreadsheet_safe=True)

    assert [row[3:5] for row in stored(connection)] == [("=1+1", "'x"), ("'-y", None)]
    assert (mended.updated, mended.unchanged, again.updated) == (1, 1, 0)


def test_a_receipt_tells_whether_there_are_guards(databases: Databases, connection: psycopg.Connection) -> None:
    """An export of this database is recognised by its hash, whatever its cells look like."""
    insert_job(connection, prompt="'=1+1")
    insert_job(connection, prompt="=1+1")
    plain, safe = export_document(databases, april()), export_document(databases, april(spreadsheet_safe="true"))
    connection.execute("TRUNCATE jobs, moderation_logs")

    for data in (safe, plain):
        take(databases, data)

    assert export_document(databases, april()) == plain


def test_files_of_psql_and_pandas_are_imported_as_they_are(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A month that `psql \\copy` or pandas has written is the month, and nothing is new."""
    job_id = insert_job(connection, prompt='two\nlines, "quoted"', is_prohibited=True, completed_at="2026-04-15 13:00Z")
    insert_log(connection, job_id, category_nsfw=True, category_underage=None)
    insert_job(connection, prompt=None, reason="a reason", is_prohibited=None)
    columns = ", ".join(COLUMNS)
    query = f"SELECT {columns} FROM (SELECT job_id AS id, * FROM jobs) AS jobs LEFT JOIN LATERAL (SELECT category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs WHERE moderation_logs.job_id = id) AS log ON true"  # noqa: E501
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)".encode()) as copy:
        psql = b"".join(bytes(block) for block in copy)
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.BytesIO(psql), parse_dates=["created_at", "completed_at"], true_values=["t"],
                            false_values=["f"])  # fmt: skip

    written = (psql, frame.to_csv(index=False), frame.to_csv(), frame.to_csv(sep="\t"))
    took = [take(databases, data) for data in written]

    assert [(each.inserted, each.updated, each.unchanged, each.logs) for each in took] == [(0, 0, 2, 0)] * 4


# The export of a month, and what LibreOffice 7.4 made of the same with guards: opened and saved as it is, and saved
# with semicolons where special numbers were to be found when it was opened. It rewrites prompts that are numbers.
SAVED = Path(__file__).with_name("saved")
NUMBERS = ("007", "7"), ("1,234.50", "1234.5")


@pytest.mark.parametrize(
    ("name", "rewritten"), [("libreoffice", NUMBERS), ("libreoffice_semicolons", (*NUMBERS, ("true", "TRUE")))]
)
def test_a_month_that_was_saved_in_libreoffice_is_the_same_month(
    databases: Databases, connection: psycopg.Connection, name: str, rewritten: tuple[tuple[str, str], ...]
) -> None:
    """Nothing is new, and a job keeps its text where the spreadsheet has taken it for a number.

    Where the jobs were lost they come in as they were, but for those texts.
    """
    export, saved = (SAVED / f"{file}.csv" for file in ("export", name))
    take(databases, export.read_bytes(), spreadsheet_safe=False)

    again = take(databases, saved.read_bytes(), spreadsheet_safe=True)
    after = export_document(databases, april())
    connection.execute("TRUNCATE jobs, moderation_logs")
    take(databases, saved.read_bytes(), spreadsheet_safe=True)
    records = [read_records(document) for document in (after, export_document(databases, april()))]

    assert (again.inserted, again.updated, again.unchanged, again.logs) == (0, 0, 17, 0)
    assert after == export.read_bytes()
    assert [(old[6], new[6]) for old, new in zip(*records, strict=True) if old != new] == [*rewritten]


MEGA = 1024**2

# What a bomb begins with, what follows it again and again, and how many megabytes of both there are.
BOMBS: dict[str, tuple[bytes, bytes, int]] = {
    "line ends": (HEADER, b"\n", 40),
    "rows of delimiters": (HEADER, b",,\n", 90),
    "an endless header": (b"", b"x", 250),
    "a quote in the header": (b'"', b"x\n", 200),
    "a quote that is never closed": (HEADER + b'"', b"x", 250),
    "a quote, and lines": (HEADER + b'"', b"\n", 250),
    "quotes": (HEADER + b'"', b'"', 250),
    "small records": (HEADER, b"x\n", 200),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_flat_memory(databases: Databases, tmp_path: Path, name: str) -> None:
    """Some kilobytes of gzip that unpack to hundreds of megabytes are one sentence, or nothing."""
    path, (first, again, megabytes) = tmp_path / "a.csv.gz", BOMBS[name]
    # Members of gzip stand one after the other (RFC 1952), so that what comes again is packed once. They end
    # elsewhere than the blocks that are read.
    begun = first + again * ((MEGA - len(first)) // len(again))
    member = again * (1_000_001 // len(again))
    path.write_bytes(gzip.compress(begun, 1) + gzip.compress(member, 1) * (megabytes * MEGA // len(member)))

    said = ""
    with path.open("rb") as file, measured_memory() as grown:
        try:
            imported = import_jobs(databases, JobFile(file=file, name="a.csv", client_id="acme"), COMMAND_LINE)
        except NotPossible as refused:
            said = str(refused)

    assert grown() < 250
    assert said.startswith("a.csv") or (imported.records == 0 and imported.blank >= 30_000_000)
