"""What the wheel depends on: the pins of requirements.txt, so that they stand in one place."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Dependencies(MetadataHookInterface):
    """Fills in `dependencies` when the wheel is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        lines = (Path(self.root) / "requirements.txt").read_text().splitlines()
        pins = (line.partition("#")[0].strip() for line in lines)
        metadata["dependencies"] = [pin for pin in pins if pin and not pin.startswith("-")]
