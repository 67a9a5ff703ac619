"""The rooms of the house: who may import whom, and what only one module may do. Read from the sources themselves."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ROOT

ROOMS = ("core", "api", "dashboard", "fencepost")

# What each room does without. `core` knows nothing of those who call it, nor of what they are made with.
NOT_IMPORTED = {
    "core": {"streamlit", "starlette", "uvicorn", "pandas", "api", "dashboard", "tests", "benchmarks"},
    "api": {"streamlit", "pandas", "dashboard", "tests", "benchmarks"},
    "dashboard": {"tests", "benchmarks"},
    # What is installed finds the others when it runs.
    "fencepost": {"streamlit", "starlette", "pandas", "core", "api", "dashboard", "tests", "benchmarks"},
}


# The packages from top to bottom, each with the modules that stand beside them: imports go only down this table. A row
# holds what must not import one another either.
FLOORS = (
    ("fencepost",),
    ("dashboard.__main__",),
    ("dashboard.app",),
    ("dashboard.main", "dashboard.server"),
    (
        "dashboard.audit",
        "dashboard.categories",
        "dashboard.jobs",
        "dashboard.keys",
        "dashboard.policy",
        "dashboard.people",
        "dashboard.quality",
        "dashboard.retention",
        "dashboard.reviews",
        "dashboard.webhooks",
    ),
    ("dashboard.exports", "dashboard.open_job", "dashboard.queues", "dashboard.samples"),
    ("dashboard.keyboard",),
    ("dashboard.session",),
    ("dashboard.widgets",),
    ("dashboard.address",),
    ("dashboard",),
    ("api",),
    ("core.__main__",),
    ("core.cli", "core.upkeep"),
    ("core.check", "core.keeping", "core.metrics", "core.sync"),
    ("core.gold.accuracy",),
    ("core.intake", "core.quality"),
    ("core.counts", "core.export", "core.review"),
    ("core.gold", "core.webhooks"),
    ("core.auth", "core.policy"),
    ("core.audit",),
    ("core.actor",),
    ("core.jobs",),
    ("core.csv",),
    ("core.db",),
    ("core.characters", "core.facts", "core.instants", "core.settings", "core.stall_watch"),
    ("core.log_lines", "core.metrics.registry", "core.tracing"),
    ("core.errors", "core.program", "core.request_id", "core.served_port"),
    ("core",),
)
HEIGHT = {package: -floor for floor, row in enumerate(FLOORS) for package in row}

# A package that grows beyond these holds two subjects.
MOST_MODULES, MEDIAN_LINES, MOST_LINES = 15, 120, 400


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imported(tree: ast.Module) -> set[str]:
    """Return the first names of all modules that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            found.add(str(node.module).split(".")[0])
    return found


def names(tree: ast.Module) -> Iterator[str]:
    """Return every name that a source uses, dotted as it is written, and what it imports as `module.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def users(rooms: tuple[str, ...], uses: Callable[[ast.Module], bool]) -> set[str]:
    """Return the modules whose source does something."""
    return {name_of(path) for path in modules(*rooms) if uses(parse(path))}


def package_of(module: str) -> str:
    """Return the row's entry that a module belongs to."""
    return max(
        (package for package in HEIGHT if module == package or module.startswith(f"{package}.")), key=len, default=""
    )


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@cache
def our_modules() -> frozenset[str]:
    return frozenset(module_of(path) for path in modules(*ROOMS))


@cache
def imported_modules(tree: ast.Module) -> set[str]:
    """Return the modules of ours that a source imports, in full."""
    ours = our_modules()
    found = {
        full if (full := f"{node.module}.{alias.name}") in ours else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return found & ours


def test_imports_go_down_the_table_of_packages() -> None:
    """A package imports only what stands on a lower floor; each package stands on one."""
    paths = modules(*ROOMS)
    upwards = [
        f"{module_of(path)} imports {module}"
        for path in paths
        for module in sorted(imported_modules(parse(path)))
        if (own := package_of(module_of(path))) != (other := package_of(module)) and HEIGHT[own] <= HEIGHT[other]
    ]

    assert {package_of(module_of(path)) for path in paths} == set(HEIGHT)
    assert upwards == []


def test_no_modules_import_each_other() -> None:
    """Within a package, too, imports make no circle."""
    graph = {module_of(path): imported_modules(parse(path)) for path in modules(*ROOMS)}

    assert list(TopologicalSorter(graph).static_order())


def test_a_package_is_one_subject() -> None:
    """A package has at most 15 modules, with a median of at most 120 lines and none above 400."""
    sizes: dict[str, list[int]] = {}
    for path in modules(*ROOMS):
        if path.name != "__init__.py" and "migrations" not in path.parts:
            sizes.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(len(path.read_text().splitlines()))

    assert {package: len(lines) for package, lines in sizes.items() if len(lines) > MOST_MODULES} == {}
    assert {package: median(lines) for package, lines in sizes.items() if median(lines) > MEDIAN_LINES} == {}
    assert {package: max(lines) for package, lines in sizes.items() if max(lines) > MOST_LINES} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    """`api` and `dashboard` import `core`, `dashboard` also `api`; never the other way round."""
    found = {name_of(path): imported(parse(path)) & NOT_IMPORTED[room] for path in modules(room)}

    assert found
    assert {path: forbidden for path, forbidden in found.items() if forbidden} == {}


def test_only_what_composes_the_server_knows_the_api() -> None:
    """Pages know `core` alone; the server is put together from pages and API in eight modules."""
    knowing = users(("dashboard",), lambda tree: "api" in imported(tree))

    composing = {"__main__.py", "app.py"} | {
        f"server/{name}.py"
        for name in (
            "backchannel_logout",
            "guard",
            "held_sessions",
            "sign_in_failure",
            "sign_in_limit",
            "visitors",
            "websocket",
        )
    }
    assert knowing == {f"dashboard/{name}" for name in composing}


def test_only_the_settings_read_the_environment() -> None:
    """`os.environ`, `os.getenv` and settings from the environment occur in `core/settings.py` only."""
    reading = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "environ", "getenv"}
    reading |= {"BaseSettings", "pydantic_settings.BaseSettings"}

    assert users(ROOMS, lambda tree: bool(reading & set(names(tree)))) == {"core/settings.py"}


def test_only_the_database_opens_connections() -> None:
    """Connections and engines are opened in `core/db/database.py`; the embedded server asks whether it answers."""
    opening = {"create_engine", "sqlalchemy.create_engine", "psycopg.connect", "psycopg.AsyncConnection.connect"}
    opening |= {"psycopg.Connection.connect", "Connection.connect", "AsyncConnection.connect", "create_async_engine"}

    assert users(ROOMS, lambda tree: bool(opening & set(names(tree)))) == {"core/db/database.py", "core/db/embedded.py"}


def selects_jobs(tree: ast.Module) -> bool:
    """Tell whether a source builds a select of the source's tables, in SQLAlchemy or as text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "select":
            arguments = " ".join(map(ast.unparse, node.args))
            if re.search(r"\b(jobs|moderation_logs)\b", arguments):
                return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Columns of the tables, that is; whether a table exists or holds anything may be asked by others.
            text = " ".join(node.value.split())
            if re.search(r"\bSELECT (?!FROM\b)[^()]*\bFROM (jobs|moderation_logs)\b", text):
                return True
    return False


def test_only_core_jobs_selects_jobs() -> None:
    """What is shown or exported of the jobs is selected where the wall is built in: in `core/jobs`.

    Migrations and what keeps facts beside the jobs show nothing.
    """
    silent = ("core/db/migrations/", "core/facts/")
    found = {path for path in users(ROOMS, selects_jobs) if not path.startswith(silent)}

    assert {Path(path).parent.as_posix() for path in found} == {"core/jobs"}


def test_only_the_csv_format_copies_out() -> None:
    """`COPY … TO` occurs in `core/csv/format.py` only, and nobody writes CSV with Python's own module."""

    def copies(tree: ast.Module) -> bool:
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        return any(isinstance(text, str) and re.search(r"^\s*COPY .* TO ", text) for text in texts)

    assert users(ROOMS, copies) == {"core/csv/libpq.py", "core/csv/format.py"}
    assert users(ROOMS, lambda tree: "csv" in imported(tree)) == set()


@pytest.mark.parametrize("folder", ["dashboard"])
def test_no_page_hides_a_module_of_the_standard_library(folder: str) -> None:
    """Streamlit puts the script's folder first on the import path, so no file there bears a standard module's name."""
    found = {path.stem for path in (ROOT / folder).iterdir() if path.name != "__pycache__"}

    assert found & set(sys.stdlib_module_names) == set()


def test_no_folder_is_named_pages() -> None:
    """Streamlit would claim a folder named `pages` and show everything in it to everybody."""
    assert [path for room in ROOMS for path in (ROOT / room).rglob("pages") if path.is_dir()] == []


def test_every_module_says_what_it_is_for() -> None:
    """Each module says in its first line what it is for."""
    missing = [name_of(path) for path in modules(*ROOMS) if ast.get_docstring(parse(path)) is None]

    assert missing == []


def test_a_server_loads_what_it_needs_at_its_start() -> None:
    """What speaks to other servers, checks signed tokens or estimates is loaded where it is used, not at each start."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, api.__main__; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "api.routes" in loaded
    assert {"httpx", "joserfc", "numpy", "pandas", "rich", "streamlit", "opentelemetry"} & set(loaded) == set()
