"""axe-core in a page: what it finds wrong for people who use a keyboard, a screen reader or a strong contrast."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.support.stillness import wait_until_still

# What scrolls is the main part of the page; what opens above it is no higher.
_HEIGHT = """
() => {
  const main = document.querySelector("[data-testid=stMain]");
  return Math.max(innerHeight, Math.ceil(main.getBoundingClientRect().top) + main.scrollHeight);
}
"""

_IS_THERE = "() => typeof axe === 'object'"
_RUN = "() => axe.run({ resultTypes: ['violations'] })"


def find_faults(page: Page) -> list[tuple[str, str, str]]:
    """Return each rule that is broken, with the element and what is wrong with it, of any impact.

    axe runs through the browser's debugging door, so that the page's policy stays in force. It passes over the colours
    of what is out of sight, so the window is made as high as the page.
    """
    wait_until_still(page)
    size = page.viewport_size
    assert size is not None
    height = size["height"]
    # Twice, because what was laid out for a higher window may be higher itself.
    for _ in range(2):
        if height == (height := page.evaluate(_HEIGHT)):
            break
        page.set_viewport_size({"width": size["width"], "height": height})
        wait_until_still(page)
    # A page that was led to another address still has it.
    if not page.evaluate(_IS_THERE):
        page.evaluate(AXE_SCRIPT)
    response: dict[str, Any] = page.evaluate(_RUN)
    page.set_viewport_size(size)
    return [
        (rule["id"], node["html"][:200], node["failureSummary"])
        for rule in response["violations"]
        for node in rule["nodes"]
    ]
