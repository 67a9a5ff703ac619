"""What commands read: files, and standard input."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.commands import RunCore, refusal
from tests.support.documents import APRIL


@pytest.mark.parametrize(("name", "why"), [("", "Is a directory"), ("missing.csv", "No such file or directory")])
@pytest.mark.parametrize("command", [("verify",), ("import", "--client", "acme")])
def test_a_file_that_cannot_be_read_is_named(
    run_core: RunCore, tmp_path: Path, command: tuple[str, ...], name: str, why: str
) -> None:
    """A missing file or a directory is an error of one sentence."""
    assert refusal(run_core(*command, str(tmp_path / name)), 1) == f"{tmp_path / name} cannot be read: {why}."


@pytest.mark.parametrize("command", [("verify",), ("import", "--client", "acme")])
def test_a_closed_standard_input_is_one_line(
    run_core: RunCore, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A shell that has closed standard input leaves Python without one."""
    monkeypatch.setattr(sys, "stdin", None)

    assert refusal(run_core(*command, "-"), 1) == "Standard input is closed: send a file there, or name one."


def test_verify_reads_standard_input(run_core: RunCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify -` verifies what comes by standard input, and calls it so."""
    document = run_core("export", "--from", APRIL["from"], "--to", APRIL["to"], "-o", "-").stdout

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(document)))
    known = run_core("verify", "-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    empty = run_core("verify", "-")

    assert (known.returncode, known.stderr) == (0, b"")
    assert refusal(empty, 1) == (
        "Standard input is not a complete export: The file is empty. No complete export has these bytes."
    )
