"""The program `fencepost`: `serve`, `api`, and every command of `python -m core`."""

import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
# In the wheel the packages lie within this one, so that nothing named `core` lands among other people's packages.
PACKAGES = HERE / "app" if (HERE / "app").is_dir() else HERE.parent

SERVERS = {"serve": "dashboard.__main__:main", "api": "api.__main__:main"}


def main() -> NoReturn:
    """Run the command that the command line names, and exit as `python -m core` does."""
    sys.path.insert(0, str(PACKAGES))
    import_module("core.program").show_no_trace_while_loading()
    core = import_module("core.__main__")
    program = core.Program(
        places=core.COMMANDS | SERVERS,
        params=core.main.params,
        help=core.main.help,
        context_settings=core.main.context_settings,
    )
    import_module("core.cli.runner").run_command(program, "fencepost")
    raise AssertionError("a command exits")


if __name__ == "__main__":
    main()
