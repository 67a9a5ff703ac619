"""What stands in `deploy/`: that its files fit each other, the code and the docs."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.cli.watchdog import LONGEST
from core.settings import Settings
from tests.conftest import ROOT
from tests.support import image

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "fencepost.service"


def services() -> dict[str, Any]:
    """Return the services of the compose file, with what they have in common filled in."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def conditions(service: str) -> dict[str, str]:
    return {name: waits["condition"] for name, waits in services()[service]["depends_on"].items()}


def unit() -> dict[str, str]:
    return dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w*=", line))


def test_the_image_is_pinned_and_not_roots() -> None:
    """The base has a full version, the user is a number that is not root's, and comes after all that is installed."""
    names = [name for name, _ in image.read_instructions()]

    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", image.find("FROM"))
    assert int(image.find("USER")) > 0
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))
    assert image.find("STOPSIGNAL") == "SIGTERM"


def test_the_image_holds_the_code_and_no_more(tmp_path: Path) -> None:
    """Nothing but pinned requirements, configuration and code gets in: no database, no secrets, no history."""
    image.assemble(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".streamlit", "api", "core", "dashboard", "requirements.lock")
    ]
    assert [path.name for path in (tmp_path / ".streamlit").iterdir()] == ["config.toml"]
    installed = next(arguments for name, arguments in image.read_instructions() if "pip install" in arguments)
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(installed.split())
    assert installed.endswith(" -r requirements.lock")


def test_the_image_installs_what_is_pinned() -> None:
    """Each package of the lock has the version of requirements and constraints, and a hash for each of its files."""
    packages = re.split(r"\n(?=\S)", (DEPLOY / "requirements.lock").read_text().split("no-annotate\n")[1].strip())
    found: dict[str, str] = {}
    for package in packages:
        pin, *hashes = package.replace("\\", "").split()
        assert hashes
        assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes)
        found |= dict([pin.split("==")])
    wanted = read_pins("requirements.txt")

    assert found.items() <= read_pins("constraints.txt").items()
    assert wanted.items() <= found.items()


def read_pins(file: str) -> dict[str, str]:
    """Return the versions of packages, by their names as PyPI normalises them."""
    pins = re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in pins}


def test_compose_starts_one_after_the_other() -> None:
    """Tables are made by their owner, then rights are given, then the application starts, then nginx."""
    assert conditions("migrate") == {"database": "service_healthy"}
    assert conditions("grant") == {"migrate": "service_completed_successfully"}
    assert conditions("app") == {"grant": "service_completed_successfully"}
    assert conditions("nginx") == {"app": "service_healthy"}


def test_compose_opens_nothing_but_nginx() -> None:
    """Only nginx has ports, the database has no way out, and the application knows no password but its own."""
    found = services()
    variables = {name: str(service.get("environment", {})) for name, service in found.items()}

    assert [name for name, service in found.items() if "ports" in service] == ["nginx"]
    assert found["database"]["networks"] == ["back"]
    assert yaml.safe_load((DEPLOY / "compose.yaml").read_text())["networks"]["back"] == {"internal": True}
    assert [name for name in found if "OWNER_PASSWORD" in variables[name]] == ["database", "migrate", "grant"]
    assert [name for name in found if "FENCEPOST_AUDIT_KEY" in variables[name]] == ["migrate", "app"]


def test_every_file_and_variable_of_compose_exists() -> None:
    """What is mounted from here is here, what comes from `.env` is in its example, and every setting is one."""
    text = (DEPLOY / "compose.yaml").read_text()
    example = re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    mounted = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])]

    assert [path for path in mounted if path.startswith("./") and not (DEPLOY / path).exists()] == ["./tls"]
    assert set(re.findall(r"\$\{(\w+)", text)) == set(example)
    assert {name.lower() for name in re.findall(r"FENCEPOST_\w+", text)} <= set(Settings.model_fields)
    assert os.access(DEPLOY / "roles.sh", os.X_OK)


def test_compose_points_nginx_to_the_service(tmp_path: Path) -> None:
    """The command of the service puts its address in the place of that of one machine, once."""
    shell = services()["nginx"]["command"][2].split(" && ")[0]
    target = tmp_path / "default.conf"

    command = shell.replace("/fencepost.conf", str(DEPLOY / "nginx.conf")).replace("$$", "$")
    command = command.replace("/etc/nginx/conf.d/default.conf", str(target))
    subprocess.run(["sh", "-c", command], check=True, env=os.environ | {"SERVER_NAME": "moderation.example.org"})

    shipped = (DEPLOY / "nginx.conf").read_text()
    moved = shipped.replace("127.0.0.1:3051", "app:3051").replace("fencepost.example.com", "moderation.example.org")
    assert target.read_text() == moved
    assert (moved.count("app:3051"), moved.count("moderation.example.org")) == (1, 1)


# What the services may beyond an ordinary account, each for the reason that stands beside it in the file.
CAPABILITIES = {
    "database": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
    "nginx": ["CHOWN", "DAC_OVERRIDE", "NET_BIND_SERVICE", "SETGID", "SETUID"],
}


def test_every_service_is_confined() -> None:
    """No service gets more rights than it needs or can get more, none writes into its image, and each has limits."""
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"]
        assert service.get("cap_add", []) == CAPABILITIES.get(name, [])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert "tmp" in {Path(mount).name for mount in service["tmpfs"]}
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
        assert 0 < service["pids_limit"] <= 4096
        assert not service.get("privileged")


def test_docker_understands_the_compose_file() -> None:
    """Where Docker's compose is there, it takes the file as it is, with what the example asks for filled in."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed: the file is only read as YAML here")
    names = re.findall(r"^(\w+)=$", (DEPLOY / "env.example").read_text(), re.MULTILINE)

    subprocess.run(
        [docker, "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet"],
        env=os.environ | dict.fromkeys(names, "filled-in"),
        check=True,
    )


def test_who_stops_fencepost_is_more_patient_than_it() -> None:
    """systemd and Docker kill only after the time in which a server ends by itself."""
    assert int(unit()["TimeoutStopSec"]) > LONGEST
    assert int(services()["app"]["stop_grace_period"].removesuffix("s")) > LONGEST


def test_the_page_on_running_it_names_every_file() -> None:
    """`docs/deploy.md` links to each file of the folder that one has to know, and each of its links leads somewhere."""
    text = (ROOT / "docs" / "deploy.md").read_text()
    linked = {link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)}

    assert all((ROOT / "docs" / link).exists() for link in linked)
    assert {path.name for path in DEPLOY.iterdir()} - {"tls", ".env"} == {
        *(Path(link).name for link in linked if "/deploy/" in link),
        *("Dockerfile.dockerignore", "env.example"),
    }
    assert {name.lower() for name in re.findall(r"FENCEPOST_\w+", text)} <= set(Settings.model_fields)


def test_memory_is_never_written_to_a_disk() -> None:
    """No process that holds prompts leaves a core dump."""
    assert unit()["LimitCORE"] == "0"
    assert {name: service["ulimits"]["core"] for name, service in services().items()} == dict.fromkeys(services(), 0)


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about the unit, with the program of this checkout in it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace("/opt/fencepost", str(ROOT)))

    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / UNIT.name], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
