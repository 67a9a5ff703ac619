"""A process that was told to end ends in time, whatever it is doing."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from core.cli import watchdog
from tests.conftest import ROOT
from tests.support.waiting import PATIENCE

# Seconds that none of these programs could use, however many they were.
LONGEST = 3

# Each is told to end while it does what no handler of a signal can interrupt.
BUSY = {
    "an event loop that never turns": """
import asyncio, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        import time
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
uvicorn.run(app, lifespan="on", port=0)
""",
    "a call that never returns": """
import ctypes
lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
library.pthread_mutex_lock(lock)
print("ready", flush=True)
library.pthread_mutex_lock(lock)
""",
    "a thread that waits at exit": """
import threading
threading.Thread(target=threading.Event().wait).start()
print("ready", flush=True)
threading.Event().wait()
""",
    "what Python frees at its end": """
import __main__, threading
class Slow:
    def __del__(self, sleep=__import__("time").sleep):
        sleep(60)
__main__.held = Slow()
print("ready", flush=True)
threading.Event().wait()
""",
}

# What a server does: it starts, is told to stop, and gives back what it has.
SERVER = """
import threading, time
from core.cli.watchdog import until_told
with until_told():
    try:
        print("ready", flush=True)
        threading.Event().wait()
    finally:
        print("gives back", flush=True)
        time.sleep(0.5)
        print("gave back", flush=True)
"""


def start(program: str) -> subprocess.Popen[str]:
    """Run a program as a command of ours is run, until it says that it is ready. It is given less time to end."""
    command = f"""
import click
from core.cli import watchdog
from core.cli.runner import run_command
watchdog.LONGEST, watchdog.LAST = {LONGEST}, {LONGEST + watchdog.LAST - watchdog.LONGEST}
@click.command()
def main() -> None:
    exec({program!r})
run_command(main, "a command")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_sigterm_ends_whatever_goes_on() -> None:
    """Neither a busy loop, nor a call that no signal interrupts, nor a thread or object left over outlives it."""
    processes = [start(program) for program in BUSY.values()]
    for process in processes:
        process.send_signal(signal.SIGTERM)

    try:
        errors = [process.communicate(timeout=LONGEST + PATIENCE)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()

    codes = {name: process.returncode for name, process in zip(BUSY, processes, strict=True)}
    # Where no thread of Python's runs any more, the system ends it.
    assert codes == dict.fromkeys(BUSY, 1) | {"what Python frees at its end": -signal.SIGALRM}
    said = [name for name, error in zip(BUSY, errors, strict=True) if "stopped without waiting any longer" in error]
    assert said == list(BUSY)[:-1]


def test_a_server_that_is_told_twice_gives_back_what_it_has() -> None:
    """Who asks again, while it starts or cleans up, interrupts nothing; the exit code is 0."""
    process = start(SERVER)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "gives back\n"

    process.send_signal(signal.SIGTERM)

    assert process.communicate(timeout=PATIENCE) == ("gave back\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize("program", ["core", "api", "dashboard", "fencepost"])
@pytest.mark.parametrize("is_ignored", [False, True])
def test_an_interrupt_while_modules_are_loaded_shows_no_trace(program: str, is_ignored: bool, tmp_path: Path) -> None:
    """It ends the process as any other does that has nothing to clean up; in the background it is ignored."""
    (tmp_path / "click.py").write_text('import sys\nprint("ready", flush=True)\nsys.stdin.read()\nsys.exit(7)\n')
    action = signal.SIG_IGN if is_ignored else signal.SIG_DFL
    process = subprocess.Popen(
        [sys.executable, "-m", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, action),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (7 if is_ignored else -signal.SIGINT, "")
