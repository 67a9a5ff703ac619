"""The image as far as it comes without Docker: the instructions of its Dockerfile, and the folder that they make."""

import json
import re
import shlex
import shutil
from pathlib import Path

from tests.conftest import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def read_instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, in order."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return [(name, " ".join(arguments.split())) for name, arguments in lines]


def find(name: str) -> str:
    """Return the arguments of an instruction that stands there once."""
    (arguments,) = [arguments for found, arguments in read_instructions() if found == name]
    return arguments


def command(name: str) -> list[str]:
    """Return the words of CMD, or of what HEALTHCHECK runs."""
    words: list[str] = json.loads(find(name)[find(name).index("[") :])
    return words


def variables() -> dict[str, str]:
    """Return what ENV sets."""
    return dict(setting.split("=", 1) for setting in shlex.split(find("ENV")))


def assemble(folder: Path) -> None:
    """Copy what COPY copies into a folder, from a context that has nothing but what `.dockerignore` lets in."""
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for name, arguments in read_instructions():
        if name != "COPY":
            continue
        *sources, target = arguments.split()
        for source in sources:
            assert source.rstrip("/") in let_in
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (folder / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder / target)
