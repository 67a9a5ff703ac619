"""Make the pictures of the README and the docs again, from demo jobs: `.venv/bin/python docs/make_pictures.py`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PORT = 3098

# Milliseconds, also on a machine that has other things to do.
PATIENCE = 120_000
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

# What each picture shows: its name, the address, a text that stands there when it is ready, width and theme.
PICTURES: tuple[tuple[str, str, str, int, Any], ...] = (
    ("jobs", "?range=30d&decision=reject", "Older", 1280, "light"),
    ("job", "?range=30d&decision=reject", "Older", 1280, "dark"),
    ("narrow", "?range=30d&decision=reject", "Older", 390, "light"),
    ("categories", "categories", "Day by day", 1280, "light"),
    ("reviews", "reviews?range=30d&decision=reject", "Start", 1280, "light"),
    ("exports", "exports", "Verify a file", 1280, "light"),
    ("keys", "keys", "Create key", 1280, "light"),
    ("audit", "audit", "Audit", 1280, "light"),
)

# The keys that are pressed before.
KEYS = {"job": ("j", "j", "j", "j", "v"), "reviews": ("j", "j", "v")}


def main() -> None:
    from tests.support.axe import wait_until_still

    with tempfile.TemporaryDirectory() as directory, _dashboard(Path(directory)), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        for name, address, shown, width, scheme in PICTURES:
            page = browser.new_page(
                viewport={"width": width, "height": 1000},
                timezone_id="Europe/Berlin",
                device_scale_factor=1.5,
                color_scheme=scheme,
            )
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{PORT}/{address}")
            page.get_by_text(shown, exact=True).first.wait_for()
            for key in KEYS.get(name, ()):
                wait_until_still(page)
                page.keyboard.press(key)
                page.wait_for_timeout(2500)
            wait_until_still(page)
            page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
            # Tables and charts are drawn on a canvas, which nothing announces.
            page.wait_for_timeout(4000)
            page.screenshot(path=ROOT / "docs" / f"{name}.png")
            page.close()
        browser.close()


@contextmanager
def _dashboard(directory: Path) -> Iterator[None]:
    """Serve the dashboard on demo jobs of its own."""
    from pydantic import SecretStr

    from core.cli.runner import open_checked
    from core.db.embedded import EmbeddedServer
    from core.db.startup import migrate
    from core.instants import parse_instant
    from core.intake.demo import seed_jobs
    from core.settings import Settings

    embedded = EmbeddedServer(directory / "fencepost")
    url = embedded.start()
    settings = Settings(database_url=SecretStr(url))
    migrate(settings)
    with open_checked(settings) as databases:
        until = parse_instant("until", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        seed_jobs(databases, 50_000, seed=1, until=until)
    environment = os.environ | {
        "DATABASE_URL": url,
        "FENCEPOST_DEMO": "1",
        "STREAMLIT_SERVER_PORT": str(PORT),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
    }
    with subprocess.Popen([sys.executable, "-m", "dashboard"], cwd=ROOT, env=environment) as process:
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health").close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield
        finally:
            process.terminate()
    embedded.stop()


if __name__ == "__main__":
    main()
