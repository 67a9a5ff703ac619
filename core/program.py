"""What this program is: its version, and how one calls its commands."""

import sys

# That of the newest release in CHANGELOG.md, or of the next one with `.dev0`.
VERSION = "0.4.0.dev0"

# How messages spell a command: installed, Fencepost is one program (see `fencepost/__main__.py`).
COMMAND = "fencepost" if "fencepost" in sys.modules else "python -m core"
