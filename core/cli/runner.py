"""What all commands share: errors of one line, exit codes, and databases that are given back."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from core.characters import make_printable
from core.cli.output import open_standard_error
from core.cli.watchdog import end_at_last, watch_signals
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import FencepostError, InvalidParameter, NotPossible
from core.settings import Settings
from core.tracing import tracing


def run_command(command: click.Command, name: str) -> NoReturn:
    """Run a command and exit: 0 done, 1 could not, 2 wrong usage. An error is one line on standard error."""
    # An error is one line on standard error; what is logged beside it is for servers, which set up their own.
    logging.getLogger().addHandler(logging.NullHandler())
    # A command that is terminated cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        # All is loaded: from here on an interrupt is one line, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    watch_signals()
    sys.stderr = open_standard_error()
    try:
        if sys.stdout is None:
            raise NotPossible("Standard output is closed: leave it open, or send it to /dev/null.")
        _refuse_repeated(command, name, sys.argv[1:])
        # Not `command.main`, which writes an empty line when it is interrupted and is silent about a broken pipe.
        with command.make_context(name, sys.argv[1:]) as context:
            command.invoke(context)
        sys.exit(0)
    except click.exceptions.Exit as done:
        # `--help` or the like has ended the command.
        sys.exit(done.exit_code)
    except InvalidParameter as error:
        _fail(str(error), 2)
    except FencepostError as error:
        _fail("Stopped." if _was_interrupted(error) else str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        _fail(f"Name a command. See `{_path(error, command, name)} --help`.", 2)
    except click.UsageError as error:
        message = error.format_message()
        end = "" if message.endswith((".", "?")) else "."
        _fail(f"{message}{end} See `{_path(error, command, name)} --help`.", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            # The terminal has shown `^C` on the line that it was in.
            click.echo(err=True)
        _fail("Stopped.", 1)
    except BrokenPipeError:
        # Keeps Python from complaining about the same pipe once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail("Whoever read standard output went away.", 1)
    except UnicodeEncodeError as error:
        if not any(isinstance(error.object, str) and error.object in argument for argument in sys.argv):
            raise
        # What Python makes of bytes on the command line that are no text.
        _fail("A value on the command line is not UTF-8: correct it.", 2)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"{error.filename or 'Standard output'} cannot be used: {error.strerror}.", 1)


def _refuse_repeated(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    """Raise `UsageError` where an option that takes one value is given several: Click takes the last without a word."""
    context = click.Context(command, parent, name, **command.context_settings)
    _, rest, given = command.make_parser(context).parse_args(list(words))
    for option in given:
        takes_one = isinstance(option, click.Option) and not (option.multiple or option.is_flag)
        if takes_one and given.count(option) > 1:
            named = option.get_error_hint(context)
            raise click.UsageError(f"Option {named} is given more than once: give it once.", context)
    found = command.get_command(context, rest[0]) if isinstance(command, click.Group) and rest else None
    if found is not None:
        _refuse_repeated(found, rest[0], rest[1:], context)


def _was_interrupted(error: BaseException) -> bool:
    """Tell whether an error came of an interrupt, as where its statement could not be ended and lost its connection."""
    return isinstance(error, KeyboardInterrupt) or (
        error.__context__ is not None and _was_interrupted(error.__context__)
    )


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Do what an interrupt does at this moment; asyncio has a handler of its own for it, which cancels its task.

    Only once: what cleans up already is not interrupted by who asks again.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Also here: the watchdog may not have run yet when Python stops all threads but this one.
    end_at_last()
    handler = signal.getsignal(signal.SIGINT)
    # A shell starts what runs in the background with interrupts ignored.
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


@contextmanager
def open_checked(settings: Settings) -> Iterator[Databases]:
    """Open the databases for a block. Raises `DatabaseUnavailable` where they cannot be used as they are."""
    with tracing(settings.traces_exporter):
        databases = open_databases(settings)
        try:
            databases.check()
            yield databases
        finally:
            databases.close()


def _path(error: click.UsageError, command: click.Command, name: str) -> str:
    """Name the command whose help explains a wrong usage."""
    if error.ctx:
        return error.ctx.command_path
    # Click does not say where an option lacks its value.
    for word in sys.argv[1:]:
        found = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if found is None:
            break
        command, name = found, f"{name} {word}"
    return name


def make_plain(text: str) -> str:
    """Make one line that a terminal can only print of a text that may hold what came from outside."""
    return make_printable(" ".join(text.split()))


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {make_plain(message)}", err=True)
    sys.exit(code)
