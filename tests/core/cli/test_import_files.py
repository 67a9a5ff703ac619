"""The command that imports files."""

import sys

import pytest

from tests.support.commands import RunCore, refusal


def test_an_import_from_a_closed_standard_input_is_one_line(run_core: RunCore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that has closed standard input leaves Python without one."""
    monkeypatch.setattr(sys, "stdin", None)

    done = run_core("import", "--client", "acme", "-")

    assert refusal(done, 1) == "Standard input is closed: send a file there, or name one."
