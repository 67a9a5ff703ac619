"""What commands are given: the names of files, and standard input."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from core.errors import NotPossible


class FileName(click.Path):
    """The path of a file; an empty one is a variable of the shell that was not set, and not the current folder."""

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty: give the name of a file.", param, ctx)
        return super().convert(value, param, ctx)


@contextmanager
def open_input(path: str, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and tell its bytes; - is standard input, of which nobody knows how many come.

    Raises `NotPossible` where there is nothing to read.
    """
    if path == "-":
        if sys.stdin is None:
            raise NotPossible("Standard input is closed: send a file there, or name one.")
        yield sys.stdin.buffer, 0
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None
        yield file, os.fstat(file.fileno()).st_size
