"""The program as one installs it: a wheel, in an environment that knows nothing of this checkout."""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from core.export.job_columns import HEADER
from core.program import VERSION
from tests.conftest import ROOT
from tests.support.servers import serving
from tests.support.serving import free_port

NOON = "2026-04-15T12:00:00Z"

# What `fencepost` is told at first, without a setting of ours that names a database.
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and a folder to stand in that holds nothing."""

    environment: Path
    packages: Path
    wheel: Path

    def run(self, *command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, wherever one stands."""
        program = [str(self.environment / "bin" / command[0]), *command[1:]]
        return subprocess.run(
            program, cwd=cwd, env=BARE | variables, capture_output=True, text=True, check=False, timeout=240
        )


def pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel, and install it where nothing of ours is. What it depends on comes from these tests' packages."""
    folder = tmp_path_factory.mktemp("installed")
    pip("wheel", str(ROOT), "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    (wheel,) = folder.glob("fencepost-*.whl")
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # No network is needed for what is here already.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    pip("--python", str(environment), "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return Installed(environment, packages, wheel)


def test_the_wheel_holds_everything_in_one_package(installed: Installed) -> None:
    """All of `core`, `api` and `dashboard` lies within `fencepost`, which depends on what requirements.txt pins."""
    tracked = subprocess.run(
        ["git", "ls-files", "core", "api", "dashboard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (found,) = importlib.metadata.distributions(name="fencepost", path=[str(installed.packages)])
    with zipfile.ZipFile(installed.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}

    pins = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert {f"fencepost/app/{name}" for name in tracked.stdout.splitlines()} <= held
    assert {name.split("/")[0] for name in held} == {"fencepost"}
    needed = [need for need in found.requires or [] if "extra ==" not in need]
    assert sorted(needed) == sorted(pin for pin in pins if pin and not pin.startswith(("-", "#")))
    assert found.version == VERSION


def test_commands_work_with_no_checkout_in_sight(installed: Installed, tmp_path: Path) -> None:
    """Every command is there by one name; the data lies in `.fencepost` where one stands, or where one says."""
    (tmp_path / "here").mkdir()

    version = installed.run("fencepost", "--version", cwd=tmp_path)
    listed = installed.run("fencepost", "--help", cwd=tmp_path)
    migrated = installed.run("fencepost", "migrate", cwd=tmp_path / "here")
    made = installed.run(
        *("fencepost", "keys", "create", "--name", "x", "--all-clients", "--scope", "job:read"),
        cwd=tmp_path,
        FENCEPOST_HOME="here/.fencepost",
    )
    unnamed = installed.run("fencepost", "keys", cwd=tmp_path)
    wrong = installed.run("fencepost", "serve", "--colour", "red", cwd=tmp_path)

    assert (version.returncode, version.stdout, version.stderr) == (0, f"fencepost {VERSION}\n", "")
    assert {"api", "export", "import", "keys", "migrate", "serve", "sync", "verify"} <= set(listed.stdout.split())
    assert (migrated.returncode, migrated.stderr) == (0, "")
    assert (made.returncode, made.stdout[:3]) == (0, "fp_")
    assert sorted(path.name for path in tmp_path.rglob(".fencepost")) == [".fencepost"]
    assert (unnamed.returncode, unnamed.stderr) == (2, "Error: Name a command. See `fencepost keys --help`.\n")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "Error: No such option '--colour'. See `fencepost serve --help`.\n",
    )


@pytest.mark.parametrize("name", ["serve", "api"])
def test_servers_say_which_version_they_are(
    installed: Installed, database_url: str, tmp_path: Path, page: Page, name: str
) -> None:
    """`fencepost serve` shows its pages, `fencepost api` serves without them; both say their version.

    Demo mode starts on a loopback address only, so that the configuration, which says so, has come along.
    """
    port = free_port()
    options = {"serve": ["--server.port", str(port)], "api": ["--port", str(port)]}[name]
    command = [str(installed.environment / "bin" / "fencepost"), name, *options]
    with serving(
        command, port, tmp_path, {"DATABASE_URL": database_url, "FENCEPOST_DEMO": "1"}, cwd=tmp_path
    ) as server:
        health = httpx.get(f"{server.url}/health").headers["X-Fencepost-Version"]
        if name == "serve":
            page.goto(f"http://localhost:{port}")
            expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
            expect(page.get_by_text(f"Fencepost {VERSION}")).to_be_visible()

    assert health == VERSION
    assert f"Fencepost {VERSION} listens on" in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("tool", "folders"),
    [
        ("pipx", {"PIPX_HOME": "home", "PIPX_BIN_DIR": "bin"}),
        ("uv", {"UV_TOOL_DIR": "home", "UV_TOOL_BIN_DIR": "bin"}),
    ],
)
def test_one_command_leads_from_the_wheel_to_the_program(
    installed: Installed, tmp_path: Path, pytestconfig: pytest.Config, tool: str, folders: dict[str, str]
) -> None:
    """`pipx install` and `uv tool install` get what the wheel needs from PyPI; a file is imported, and gone is gone."""
    if not pytestconfig.getoption("--installers"):
        pytest.skip("it downloads 150 MB: make soak")
    venv.create(tmp_path / "tools", with_pip=True, symlinks=True)
    pip("--python", str(tmp_path / "tools"), "install", "--quiet", tool)
    variables = {name: str(tmp_path / folder) for name, folder in folders.items()}
    tools = Installed(tmp_path / "tools", tmp_path, installed.wheel)
    program = Installed(tmp_path, tmp_path, installed.wheel)
    install = ["install", str(installed.wheel)]
    (tmp_path / "mine.csv").write_bytes(HEADER + f"{uuid4()},prompt,completed,true,{NOON},,a lamp,,true,,\n".encode())

    done = tools.run(tool, *(["tool"] if tool == "uv" else []), *install, cwd=tmp_path, **variables)
    imported = program.run("fencepost", "import", "--client", "acme", "mine.csv", cwd=tmp_path)
    gone = tools.run(tool, *(["tool"] if tool == "uv" else []), "uninstall", "fencepost", cwd=tmp_path, **variables)

    assert done.returncode == 0, done.stderr
    assert (imported.returncode, "1 new job" in imported.stderr) == (0, True), imported.stderr
    assert gone.returncode == 0, gone.stderr
    assert not (tmp_path / "bin" / "fencepost").exists()


def test_it_goes_without_a_trace(installed: Installed) -> None:
    """Removed, it leaves nothing in the environment. The last test of this file."""
    pip("--python", str(installed.environment), "uninstall", "--quiet", "--yes", "fencepost")

    assert sorted(path.name for path in installed.packages.iterdir()) == ["dependencies.pth"]
    assert not (installed.environment / "bin" / "fencepost").exists()
