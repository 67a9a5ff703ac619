"""The port of the dashboard that serves with this home: noted in a file, for commands that print a link to a page."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_NAME = "dashboard.port"


@contextmanager
def noting_port(home: Path, port: int) -> Iterator[None]:
    """Note a port for a block. Where the folder is missing or takes no file, nothing is noted."""
    with ExitStack() as stack:
        with suppress(OSError):
            file = stack.enter_context((home / _NAME).open("w"))
            # The kernel gives it back even when the process is killed; so a note that is old is known.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            file.write(str(port))
            file.flush()
        yield


def find_port(home: Path) -> int | None:
    """Return the port of the dashboard that runs now, or None where none is known to."""
    with suppress(OSError, ValueError), (home / _NAME).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read())
    return None
