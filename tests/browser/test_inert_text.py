"""A prompt is text everywhere: nothing in it runs, is drawn as anything else, or asks another host."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import step_to
from tests.browser.test_reviews_page import reveal, settle
from tests.support.rows import insert_job
from tests.support.servers import RunningServer, serving_dashboard
from tests.support.stillness import wait_until_still

FOREIGN = "foreign.example"
HOSTILE = (
    f"<script>window.hurt = 1</script><img src=https://{FOREIGN}/a onerror='window.hurt = 1'>",
    f"![picture](https://{FOREIGN}/b) [link](javascript:window.hurt=1)",
    rf"$\href{{https://{FOREIGN}/c}}{{x}}$ :material/delete: :red[red] **bold**",
    f"https://{FOREIGN}/d \u202e reversed \u2066 \u200b",
    f'<a href="https://{FOREIGN}/e">e</a><style>@import url(https://{FOREIGN}/f)</style>' + "x" * 1_000_000,
)


@pytest.fixture
def hostile(database_url: str, tmp_path: Path) -> Iterator[RunningServer]:
    """A dashboard over jobs whose every text is hostile, and a policy that is, too."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO policies (version, kind, value, text, written_by, earlier_count)"
            " VALUES (1, 'general', '', %s, %s, true)",
            ("`code`\n\n" + "\n\n".join(HOSTILE)[:5_000], HOSTILE[0]),
        )
        for text in HOSTILE:
            short = text[:200]
            insert_job(
                connection,
                prompt=text,
                reason=text,
                type=short,
                client_id=short,
                is_prohibited=True,
                created_at="2026-04-15T12:00:00Z",
            )
    with serving_dashboard(database_url, tmp_path) as running:
        yield running


def test_hostile_texts_do_nothing_and_no_foreign_host_is_asked(hostile: RunningServer, page: Page) -> None:
    """With prompts shown and hostile words in the address, the browser asks this server only and runs nothing else."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    bounds = "from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00Z"

    # An address with such words is loaded, and others are gone to; the jobs come last.
    wrong = f"/?{bounds}&bad=<img src=//{FOREIGN}/h>"
    page.goto(hostile.url + wrong)
    for address in (wrong, f"/?{bounds}&q=%3Cscript&client_id=![x](https://{FOREIGN}/g)", f"/?{bounds}"):
        if address != wrong:
            step_to(page, address)
        wait_until_still(page)
        expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
        if page.get_by_text("No jobs match").count() == 0:
            page.get_by_text("Show prompts").click()
        wait_until_still(page)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hurt") is None
    expect(page.get_by_role("switch", name="Show prompts")).to_be_checked()
    for path, title in (("exports", "Exports"), ("people", "People"), ("keys", "Keys"), ("audit", "Audit")):
        step_to(page, f"/{path}")
        expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()

    # A policy is Markdown: what would be a picture is a link that nobody follows, and code in it is no job's id.
    step_to(page, "/policy")
    expect(page.get_by_text("code", exact=True)).to_be_visible()
    step_to(page, f"/reviews?{bounds}")
    page.get_by_role("button", name="Start").click()
    settle(page)
    expect(page.get_by_text("code", exact=True)).to_be_visible()
    reveal(page)
    page.keyboard.press("a")
    expect(page.get_by_text("Agree: recorded for 1 job.")).to_be_visible()
    assert page.evaluate("window.hurt") is None
    assert page.locator("img[src*=foreign]").count() == 0

    assert {urlsplit(url).netloc for url in asked if urlsplit(url).netloc} == {urlsplit(hostile.url).netloc}
    assert [text for text in said if "Content Security Policy" in text] == []
