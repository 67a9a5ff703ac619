"""The records of a file, read and checked, in a table of their own with the types of a job."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from core.csv.format import write_record
from core.csv.records import BLOCK, Blank, Record, RecordReader, Stretch, copy_statement
from core.errors import NotPossible
from core.export.job_columns import COLUMNS
from core.intake.file_layout import FileLayout, read_layout
from core.intake.job_cells import FORMS
from core.intake.job_file import JobFile
from core.intake.wrong_cell import WrongCell

# What PostgreSQL writes for nothing, where it is not CSV.
NULL = r"\N"

REMEDY = "Correct it, or give --skip-bad FILE."


@dataclass(slots=True)
class Staged:
    """What was read of a file: records that are right, those set aside, blank lines, and columns left out."""

    ignored_columns: tuple[str, ...]
    records: int = 0
    skipped: int = 0
    blank: int = 0


def stage_records(connection: psycopg.Connection, blocks: Iterator[bytes], job_file: JobFile) -> Staged:
    """Copy the records of a file into the temporary table `staged_jobs`, numbered in their order.

    What is in the export's own form goes to PostgreSQL as it is; other forms are turned into it, cell by cell. Raises
    `NotPossible` at the first record that is wrong, unless there is a place for those.
    """
    layout, blocks = read_layout(
        blocks, job_file.name, delimiter=job_file.delimiter, has_categories=job_file.has_categories
    )
    fields = [form.name or f"ignored_{place}" for place, form in enumerate(layout.columns)]
    _create_table(connection, [field for field in fields if field not in FORMS])
    staged = Staged(layout.ignored)
    reader = RecordReader(
        blocks, job_file.name, delimiter=layout.delimiter.encode(), first_line=layout.header_lines + 1
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(copy_statement("staged_jobs", fields, layout.delimiter)) as copy,
    ):
        for block in _gather(_read_records(reader, layout, job_file, staged)):
            copy.write(block)
    if job_file.skipped is not None:
        # What was set aside must be safe before the rest is.
        job_file.skipped.flush()
    return staged


def _create_table(connection: psycopg.Connection, ignored: list[str]) -> None:
    columns = [sql.SQL("{} {}").format(sql.Identifier(form.name), sql.SQL(form.sql_type)) for form in FORMS.values()]
    columns += [sql.SQL("{} text").format(sql.Identifier(name)) for name in ignored]
    connection.execute("DROP TABLE IF EXISTS pg_temp.staged_jobs, pg_temp.known_jobs")
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE staged_jobs (record bigint GENERATED ALWAYS AS IDENTITY, {}) ON COMMIT DROP"
        ).format(sql.SQL(", ").join(columns))
    )


def _read_records(reader: RecordReader, layout: FileLayout, job_file: JobFile, staged: Staged) -> Iterator[bytes]:
    """Yield what goes to PostgreSQL, and count what was read."""
    for found in reader.read(layout.own_records()):
        match found:
            case Stretch(data, records):
                staged.records += records
                yield data
            case Blank(lines):
                staged.blank += lines
            case Record(cells=cells, fault=None) if not any(cells):
                staged.blank += 1
            case Record():
                try:
                    yield _own_form(found, layout, job_file.name)
                except WrongCell as wrong:
                    _set_aside(found, str(wrong), layout, job_file)
                    staged.skipped += 1
                else:
                    staged.records += 1


def _own_form(record: Record, layout: FileLayout, name: str) -> bytes:
    """Write a record in the export's own form. Raises `WrongCell`, whose text is whole here."""
    columns, cells = layout.columns, record.cells
    if not record.has_end and not _is_whole(record, layout):
        raise NotPossible(
            f"{name} is cut: its last record has no end. Get the file again, or end its last line if it is whole."
        )
    if record.fault is not None:
        place = len(columns) if record.fault.cell is None else record.fault.cell
        names = [f"{form.name}: " if form.name else "" for form in columns]
        raise WrongCell(f"{names[place] if place < len(names) else ''}{record.fault.text}")
    if len(cells) != len(columns):
        had = "1 cell" if len(cells) == 1 else f"{len(cells):,} cells"
        raise WrongCell(f"it has {had}, where the header has {len(columns)}")
    if layout.delimiter == "\t" and NULL in cells and b'"' not in record.raw:
        raise WrongCell(
            f"it is in PostgreSQL's text format, where {NULL} is nothing and a backslash is no backslash: write the "
            "file as CSV, by \\copy with CSV HEADER"
        )
    values = []
    for form, cell in zip(columns, cells, strict=True):
        try:
            values.append(form.read(cell))
        except WrongCell as wrong:
            hint = f": for nothing write nothing, without NULL '{NULL}'" if cell == NULL else ""
            raise WrongCell(f"{form.name} {wrong}{hint}") from None
    return write_record(values, delimiter=layout.delimiter, line_end=layout.line_end)


def _is_whole(record: Record, layout: FileLayout) -> bool:
    """Tell of a record without an end whether nothing of it can be missing."""
    if len(record.cells) != len(layout.columns):
        return False
    if record.raw.endswith(b'"'):
        return True
    return layout.columns[-1].is_boolean and (record.cells[-1] or "").strip().lower() in ("true", "false")


def _set_aside(record: Record, wrong: str, layout: FileLayout, job_file: JobFile) -> None:
    """Write a wrong record to the file for them, below the columns of an export where it has its cells."""
    if job_file.skipped is None:
        raise NotPossible(f"{job_file.name}, line {record.line:,} (record {record.number:,}): {wrong}. {REMEDY}")
    raw = record.raw
    if not layout.is_own and record.fault is None and len(record.cells) == len(layout.columns):
        cells = {form.name: cell for form, cell in zip(layout.columns, record.cells, strict=True)}
        raw = write_record([cells.get(column) for column in COLUMNS])[:-1]
    job_file.skipped.write(write_record([job_file.name, str(record.number), wrong])[:-1] + b"," + raw + b"\n")


def _gather(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces to blocks."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)
