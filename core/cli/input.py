"""What commands read: a file, or standard input."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from core.errors import NotPossible


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
