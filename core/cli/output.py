"""Where commands write: a file that is whole or not there, standard output, a bar on a terminal."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import uuid4

import click

from core.csv.format import BOM, make_header
from core.errors import InvalidParameter, NotPossible
from core.export.job_columns import COLUMNS
from core.intake.job_file import ASIDE

_DESCRIPTORS = Path("/proc/self/fd")

# What an option for a file calls standard output (POSIX, Utility Syntax Guideline 13).
STANDARD_OUTPUT = Path("-")


class _Lossy(FileIO):
    """A file that takes everything, and loses what cannot be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def open_standard_error() -> TextIO:
    """Open standard error so that it ends nothing: what is said there is of what was done, or could not be."""
    if sys.stderr is None:
        # The shell has closed it: what is said there is for nobody.
        return Path(os.devnull).open("w")
    buffer = BufferedWriter(_Lossy(sys.stderr.fileno(), "wb", closefd=False))
    return TextIOWrapper(buffer, sys.stderr.encoding, sys.stderr.errors, line_buffering=True)


def echo_done(line: str) -> None:
    """Print what was done and stays done, on standard error where standard output takes nothing."""
    try:
        click.echo(line)
    except OSError:
        # Keeps Python from complaining about it once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout = sys.stderr
        click.echo(line)


@contextmanager
def progress_bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error where that is a terminal; else show nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda steps: bar.update(steps)


def echo_table(lines: Sequence[Sequence[str]]) -> None:
    """Print lines of as many cells each in columns, the first line as their head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open what an export is written to: a new file, a pipe or device that is there already, or standard output."""
    if path == STANDARD_OUTPUT:
        if sys.stdout.isatty():
            raise click.UsageError("Give a file with -o FILE, or redirect standard output.")
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    try:
        is_special = path.exists() and not path.is_file()
        with path.open("wb") if is_special else _new_file(path.resolve()) as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}. Nothing was left behind.") from None


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only when it is complete; whatever bore that name stays until then.

    Until then it has no name at all where the file system allows that (Linux, `O_TMPFILE`): a process that is killed
    leaves nothing behind. The text is confidential: nobody but the owner reads it.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    nameless = getattr(os, "O_TMPFILE", None)
    try:
        if nameless is None or not _DESCRIPTORS.exists():
            raise OSError
        descriptor, has_name = os.open(path.parent, nameless | os.O_WRONLY, 0o600), False
    except OSError:
        descriptor, has_name = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), True
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            yield file
            file.flush()
            os.fsync(descriptor)
            if not has_name:
                # A link cannot replace what bears the name already, so it gets another one for a moment. A directory
                # must be named for Python to follow the link in /proc (open(2), O_TMPFILE).
                os.link(_DESCRIPTORS / str(descriptor), beside, src_dir_fd=descriptor)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class Aside(FileIO):
    """A file that holds nothing back: what cannot be written is known at once, and is not tried again later."""

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            rest = rest[super().write(rest) :]
        return length


@contextmanager
def open_aside(name: str | None) -> Iterator[BinaryIO | None]:
    """Make the file of records that are wrong; it stays only where there are some."""
    if name is None:
        yield None
        return
    path = Path(name)
    if path == STANDARD_OUTPUT:
        raise InvalidParameter("skip-bad is a new file, and not standard output: name one.")
    try:
        file = Aside(path, "xb")
    except FileExistsError:
        raise NotPossible(f"{name} exists already: choose another file for --skip-bad.") from None
    with file:
        # The text is confidential: nobody but the owner reads it.
        path.chmod(0o600)
        start = file.write(BOM + make_header((*ASIDE, *COLUMNS)))
        try:
            yield file
        finally:
            if file.tell() == start:
                path.unlink()
