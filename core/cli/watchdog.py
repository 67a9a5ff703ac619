"""What ends a process that was told to end, whatever its threads wait for."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

# Seconds from the first SIGTERM or SIGINT to the end. Who stops us (TimeoutStopSec and stop_grace_period in `deploy/`)
# must be more patient.
LONGEST = 15

# Seconds until the system ends it, which needs none of its threads. Python stops them before it frees what it holds.
LAST = LONGEST + 1

_LAST_WORDS = b"Error: stopped without waiting any longer for the database or for what else did not answer.\n"


@cache
def watch_signals() -> None:
    """End this process at the latest `LONGEST` seconds after it was told to, with exit code 1. Once is enough.

    Python runs handlers of signals between two steps of its main thread, and an event loop acts on them when it turns.
    The number of a signal is written to a socket at once, whatever the main thread does, and a thread of its own reads
    it: neither a busy loop, nor a call that never returns, nor a thread that waits at exit keeps it from counting.
    What keeps that thread from running, too, ends a second later by SIGALRM.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_in_time, args=(told, tells), name="watchdog", daemon=True).start()


def _end_in_time(told: socket.socket, tells: socket.socket) -> None:
    # `tells` is held, so that it stays open as long as this thread lives.
    while (number := told.recv(1)) and number[0] not in (signal.SIGTERM, signal.SIGINT):
        pass
    end_at_last()
    time.sleep(LONGEST)
    os.write(2, _LAST_WORDS)
    os._exit(1)


def end_at_last() -> None:
    """Have the system end this process in `LAST` seconds, or sooner where that was asked for before."""
    if signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        signal.alarm(LAST)


@contextmanager
def until_told() -> Iterator[None]:
    """Serve for a block, and end this process with exit code 0 when it was told to end, however far it has come.

    After the block nothing is left to do, so Python frees nothing: with all that is imported, that took longer than
    everything before it, and on a busy machine longer than is left.
    """
    try:
        yield
    except KeyboardInterrupt:
        # Told while it started: what it has opened is given back in the usual way.
        sys.exit(0)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
