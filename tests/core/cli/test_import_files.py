"""The command that imports files."""

from pathlib import Path

from core.export.job_columns import HEADER
from tests.support.commands import RunCore


def test_an_import_says_that_a_file_has_several_records_of_a_job(run_core: RunCore, tmp_path: Path) -> None:
    """The best of them is the job; that others were left out is said, so that the numbers add up."""
    ids = [f"0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5{digit}" for digit in "ddde"]
    decisions = ["true", "", "", "false"]
    records = [
        f"{job_id},prompt,completed,{decision},2026-04-15T12:00:00Z,,,,,,\n"
        for job_id, decision in zip(ids, decisions, strict=True)
    ]
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + "".join(records).encode())

    done = run_core("import", "--client", "acme", str(path))

    assert done.stderr.decode().splitlines()[:2] == [
        f"{path}: 2 records were left out, because the file has a better or later one of the same job.",
        f"{path}: 4 records: 2 new jobs, 0 changed, 0 as they were, 0 new logs.",
    ]
