"""What this program is: its version, how one calls its commands, and how it ends before it has begun."""

import signal
import sys

# That of the newest release in CHANGELOG.md, or of the next one with `.dev0`.
VERSION = "0.4.0.dev0"

# How messages spell a command: installed, Fencepost is one program (see `fencepost/__main__.py`).
COMMAND = "fencepost" if "fencepost" in sys.modules else "python -m core"


def show_no_trace_while_loading() -> None:
    """While the program is loaded, let an interrupt end it without a word; where one is ignored, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
