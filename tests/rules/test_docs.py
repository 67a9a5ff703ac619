"""The docs are true: every command, parameter, package and link that they name is there, and none is missing."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from core.__main__ import COMMANDS
from core.db.schema import ours, source
from core.export.job_columns import COLUMNS as JOB_COLUMNS
from core.export.review_columns import COLUMNS as VERDICT_COLUMNS
from core.facts.tables import beside
from core.intake.totals import import_totals
from core.jobs.filter import PARAMETERS
from core.keeping.holds import holds
from core.quality.file import COLUMNS as SAMPLE_COLUMNS
from core.settings import Settings
from tests.conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS]


def code_in_tables(path: Path) -> list[str]:
    """Return what stands as code in the first column of a page's tables."""
    cells = re.findall(r"^\| ([^|]+) \|", path.read_text(), re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def test_the_readme_fits_on_a_few_screens() -> None:
    """The README has at most 130 lines, CONTRIBUTING at most 80: what is longer has a page of its own in `docs/`."""
    assert len(README.read_text().splitlines()) <= 130
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 80


def test_the_readme_leads_to_every_page_of_the_docs() -> None:
    """Each page of `docs/` is one click away from the README."""
    linked = set(re.findall(r"\]\((docs/[^)#]+)\)", README.read_text()))

    assert {f"docs/{path.name}" for path in DOCS} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file leads to one, and each link to a part of a page to a heading of it."""
    for target, part in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        other = page.parent / target if target else page
        assert other.exists(), f"{page.name} links to {target}"
        if part:
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            assert part in [re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings]


@pytest.mark.parametrize("page", [ROOT / "SECURITY.md", ROOT / "docs" / "security.md"], ids=lambda page: page.name)
def test_what_is_protected_is_tested(page: Path) -> None:
    """Each threat and each section that is said to be held names tests, and these exist."""
    text = page.read_text()
    named = re.findall(r"`(tests/[^`]+)`", text)

    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [
        row for row in re.findall(r"^\| .*\| (?:yes|in part)[^|]*\| *\|$", text, re.MULTILINE) if "14.3" not in row
    ] == []


def test_the_drawing_names_every_package() -> None:
    """The README's drawing of the packages has each of them, and none that is not there."""
    (drawing,) = re.findall(r"## The packages\n\n```\n(.*?)```", README.read_text(), re.DOTALL)
    packages = {path.parent for room in ("core", "dashboard") for path in (ROOT / room).glob("*/__init__.py")}

    words = set(re.findall(r"\b[a-z_]+\b", drawing))

    assert {package.name for package in packages} <= words


def test_every_command_is_explained() -> None:
    """`docs/commands.md` has each command of `python -m core`, and no other."""
    named = {code.split()[3] for code in code_in_tables(ROOT / "docs" / "commands.md") if "-m core " in code}

    assert named == set(COMMANDS)


def test_every_parameter_is_explained() -> None:
    """`docs/export.md` has each parameter of the export beside its bounds, and no other."""
    assert sorted(code_in_tables(ROOT / "docs" / "export.md")) == sorted(set(PARAMETERS) - {"from", "to"})


def test_every_setting_is_explained() -> None:
    """`docs/settings.md` has each setting of Fencepost, and no other beside the server of the tests."""
    named = set(code_in_tables(ROOT / "docs" / "settings.md"))

    assert named == {name.upper() for name in Settings.model_fields} | {"TEST_DATABASE_URL"}


@pytest.mark.parametrize(
    ("page", "section", "columns"),
    [
        ("export.md", "\nColumns:", JOB_COLUMNS),
        ("export.md", "## Verdicts", VERDICT_COLUMNS),
        ("quality.md", "## The file", SAMPLE_COLUMNS),
    ],
    ids=["jobs", "verdicts", "sample"],
)
def test_every_column_is_explained(page: str, section: str, columns: tuple[str, ...]) -> None:
    """The pages on exports, verdicts and samples name each column of their files where they tell of them."""
    _, _, rest = (ROOT / "docs" / page).read_text().partition(section)
    text, _, _ = rest.partition("\n#" if section.startswith("#") else "\n|")

    assert set(columns) - set(re.findall(r"`(\w+)`", text)) == set()


def test_every_error_is_explained() -> None:
    """`docs/export.md` has the code of each error of the API."""
    codes = set(re.findall(r'"([A-Z]+_?[A-Z]+)"', (ROOT / "api" / "errors.py").read_text()))

    assert codes
    assert codes <= set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "export.md").read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run_in_a_checkout(page: Path) -> None:
    """A command that is there to be copied names the Python of the checkout, which has what Fencepost needs."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)

    assert [line for block in blocks for line in block.splitlines() if re.match(r"python3? -m core", line)] == []


def test_it_is_said_how_long_every_table_is_kept() -> None:
    """`docs/retention.md` has each of our tables in the last column of its table, and no other."""
    rows = re.findall(r"^\| .* \|$", (ROOT / "docs" / "retention.md").read_text(), re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([^`]+)`", row.split("|")[-2])}
    # Commands import what they need when they are asked for.
    for path in (ROOT / "core").rglob("*.py"):
        if "Table(" in path.read_text():
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    # Tables are known once the module that has them is.
    assert {holds.name, import_totals.name} <= named
    assert named == {table for metadata in (ours, source, beside) for table in metadata.tables}
