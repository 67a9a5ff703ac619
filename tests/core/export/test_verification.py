"""Is a file a complete export of ours, and if not, what is wrong with it?"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.errors import NotPossible
from core.export.receipts import Progress, Status, Via, close_receipt, find_receipt, open_receipt
from core.export.verification import Inspection, inspect_file, verify_file
from tests.support.documents import BOM, HEADER, april, export_document
from tests.support.rows import insert_job
from tests.support.strategies import TEXTS


@pytest.fixture
def document(databases: Databases, connection: psycopg.Connection) -> bytes:
    """A complete export of two jobs, the second of which has line ends and quotes in its prompt."""
    insert_job(connection, job_id=UUID(int=1), prompt=None)
    insert_job(connection, job_id=UUID(int=2), prompt='one\n"two"\nthree')
    return export_document(databases, april())


@pytest.fixture
def export_id(document: bytes, connection: psycopg.Connection) -> UUID:
    row = connection.execute("SELECT export_id FROM exports").fetchone()
    assert row is not None
    found: UUID = row[0]
    return found


def verify(databases: Databases, path: Path, export_id: UUID | None) -> dict[str, Any]:
    with path.open("rb") as file:
        return verify_file(databases, file, str(path), export_id)


def refusal(databases: Databases, path: Path, export_id: UUID | None = None) -> str:
    with pytest.raises(NotPossible) as caught:
        verify(databases, path, export_id)
    return str(caught.value)


@pytest.mark.parametrize("by_id", [False, True])
def test_a_complete_export_is_known(
    databases: Databases, document: bytes, export_id: UUID, tmp_path: Path, by_id: bool
) -> None:
    """A file with the bytes of a complete export gives that export's receipt, with or without its id."""
    file = tmp_path / "jobs.csv"
    file.write_bytes(document)

    receipt = verify(databases, file, export_id if by_id else None)

    assert receipt == find_receipt(databases, export_id)
    assert receipt["sha256"] == hashlib.sha256(document).hexdigest()


# What has become of a file, and what is said of its form.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "emptied": (lambda _: b"", "The file is empty."),
    "cut in a prompt": (
        lambda document: document[: document.index(b"two")],
        "Its last record is not closed: the file was cut. It holds 1 closed record in {size} bytes.",
    ),
    "cut after a line end in a prompt": (
        lambda document: document[: document.index(b'""two')],
        "Its last record is not closed: the file was cut. It holds 1 closed record in {size} bytes.",
    ),
    "cut in a doubled quote": (
        lambda document: document[: document.index(b'"two')],
        "Its last record is not closed: the file was cut. It holds 1 closed record in {size} bytes.",
    ),
    "cut between records": (
        lambda document: document[: document.index(b"00000000-0000-0000-0000-000000000002")],
        "Its form is right, so it was cut between two records, or changed. It holds 1 closed record in {size} bytes.",
    ),
    "cut in the header": (
        lambda document: document[:50],
        "Its first line is not the header of an export. Its last record is not closed: the file was cut."
        " It holds 0 closed records in {size} bytes.",
    ),
    "without byte order mark": (
        lambda document: document.removeprefix(BOM),
        "It does not begin with the byte order mark of an export. It holds 2 closed records in {size} bytes.",
    ),
    "without byte order mark, and cut": (
        lambda document: document.removeprefix(BOM)[:-1],
        "It does not begin with the byte order mark of an export. Its last record is not closed: the file was cut."
        " It holds 1 closed record in {size} bytes.",
    ),
    "something else": (
        lambda _: b"x",
        "It does not begin with the byte order mark of an export. Its first line is not the header of an export."
        " Its last record is not closed: the file was cut. It holds 0 closed records in {size} byte.",
    ),
    "with another header": (
        lambda document: document.replace(b"job_id", b"Job id", 1),
        "Its first line is not the header of an export. It holds 2 closed records in {size} bytes.",
    ),
    "with another cell": (
        lambda document: document.replace(b"three", b"seven"),
        "Its form is right, so it was cut between two records, or changed. It holds 2 closed records in {size} bytes.",
    ),
    "with a record more": (
        lambda document: document + document.splitlines(keepends=True)[1],
        "Its form is right, so it was cut between two records, or changed. It holds 3 closed records in {size} bytes.",
    ),
    "with a blank line at its end": (
        lambda document: document + b"\n",
        "It has 1 blank line, and no export has any. It holds 2 closed records in {size} bytes.",
    ),
    "with blank lines between records": (
        lambda document: document.replace(b"00000000", b"\r\n\n00000000", 1),
        "It has 2 blank lines, and no export has any. It holds 2 closed records in {size} bytes.",
    ),
    "with a blank line in a prompt": (
        lambda document: document.replace(b'""two', b'\n\n""two', 1),
        "Its form is right, so it was cut between two records, or changed. It holds 2 closed records in {size} bytes.",
    ),
    "without its last line end": (
        lambda document: document[:-1],
        "Its last record is not closed: the file was cut. It holds 1 closed record in {size} bytes.",
    ),
    "with line ends of Windows": (
        lambda document: document.replace(b"\n", b"\r\n"),
        "Its first line is not the header of an export. It holds 2 closed records in {size} bytes.",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_described(
    databases: Databases, document: bytes, export_id: UUID, tmp_path: Path, damage: str
) -> None:
    """Of a file that is no complete export is said what it shows, and what the export that was asked for has."""
    change, description = DAMAGES[damage]
    description = description.format(size=len(change(document)))
    file = tmp_path / "jobs.csv"
    file.write_bytes(change(document))

    assert refusal(databases, file) == (
        f"{file} is not a complete export: {description} No complete export has these bytes."
    )
    assert refusal(databases, file, export_id) == (
        f"{file} is not a complete export: {description}"
        f" Export {export_id} has 2 records in {len(document)} bytes, and different bytes."
    )


def test_an_unknown_export_is_named(databases: Databases, document: bytes, tmp_path: Path) -> None:
    """Where there is no such export, the message says so."""
    file = tmp_path / "jobs.csv"
    file.write_bytes(document)
    unknown = uuid4()

    assert refusal(databases, file, unknown) == (
        f"There is no export {unknown}: check the id, or leave it out to search by hash."
    )


@pytest.mark.parametrize("status", [Status.RUNNING, Status.INTERRUPTED, Status.FAILED])
def test_an_export_that_is_not_complete_has_no_complete_file(
    databases: Databases, tmp_path: Path, status: Status
) -> None:
    """What was received of an export that did not end well is not complete, whatever the file looks like."""
    file = tmp_path / "jobs.csv"
    file.write_bytes(HEADER)
    export_id = uuid4()
    open_receipt(databases, COMMAND_LINE, export_id, april(), via=Via.CLI)
    if status is not Status.RUNNING:
        close_receipt(databases, COMMAND_LINE, export_id, Progress(0, len(HEADER)), status)

    assert refusal(databases, file, export_id) == (
        f"{file} is not complete: export {export_id} is {status.value}, not complete."
        " Its form is right, so it was cut between two records, or changed. It holds 0 closed records in 132 bytes."
    )


# Three blank lines, one of which ends as one of Windows does.
BLANK = b"\n\r\n\n"


@given(prompts=st.lists(TEXTS), size=st.integers(1, 40))
def test_records_are_counted_whatever_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompts: list[str], size: int
) -> None:
    """Line ends in quoted cells close no record, wherever the pieces begin in which the file is read."""
    monkeypatch.setattr("core.export.verification.READ_SIZE", size)
    body = "".join('"' + prompt.replace('"', '""') + '"\n' for prompt in prompts).encode()
    file = tmp_path / "jobs.csv"
    file.write_bytes(HEADER + body + BLANK)

    with file.open("rb") as opened:
        found = inspect_file(opened, str(file))
    assert found == Inspection(
        bytes=len(HEADER + body + BLANK),
        sha256=hashlib.sha256(HEADER + body + BLANK).hexdigest(),
        has_bom=True,
        has_header=True,
        records=len(prompts),
        blank_lines=3,
        is_closed=True,
    )
