"""What ends a process that was told to end and does not, whatever its threads wait for."""

import os
import signal
import socket
import threading
import time
from functools import cache

# Seconds from the first SIGTERM or SIGINT to the end. Who stops us (TimeoutStopSec and stop_grace_period in `deploy/`)
# must be more patient.
LONGEST = 15

_LAST_WORDS = b"Error: stopped without waiting any longer for the database or for what else did not answer.\n"


@cache
def watch_signals() -> None:
    """End this process at the latest `LONGEST` seconds after it was told to, with exit code 1. Once is enough.

    Python runs handlers of signals between two steps of its main thread, and an event loop acts on them when it turns.
    The number of a signal is written to a socket at once, whatever the main thread does, and a thread of its own reads
    it: neither a busy loop, nor a call that never returns, nor a thread that waits at exit keeps it from counting.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_in_time, args=(told, tells), name="watchdog", daemon=True).start()


def _end_in_time(told: socket.socket, tells: socket.socket) -> None:
    # `tells` is held, so that it stays open as long as this thread lives.
    while (number := told.recv(1)) and number[0] not in (signal.SIGTERM, signal.SIGINT):
        pass
    time.sleep(LONGEST)
    os.write(2, _LAST_WORDS)
    os._exit(1)
