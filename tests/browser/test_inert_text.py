"""A prompt is text everywhere: nothing in it runs, is drawn as anything else, or asks another host."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import step_to
from tests.browser.test_reviews_page import reveal, settle
from tests.support.rows import insert_job
from tests.support.servers import RunningServer
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
def hostile(rows: psycopg.Connection) -> Iterator[None]:
    """Jobs whose every text is hostile, in a month of their own, and a policy that is, too."""
    rows.execute(
        "INSERT INTO policies (version, kind, value, text, written_by, earlier_count)"
        " VALUES (1, 'general', '', %s, %s, true)",
        ("`code`\n\n" + "\n\n".join(HOSTILE)[:5_000], HOSTILE[0]),
    )
    ids = []
    for text in HOSTILE:
        short, at = text[:200], "2001-04-15T12:00:00Z"
        job = {"prompt": text, "reason": text, "type": short, "client_id": short, "is_prohibited": True}
        ids.append(insert_job(rows, created_at=at, **job))
    yield
    for table in ("reviews", "review_claims", "review_drafts", "jobs"):
        rows.execute(f"DELETE FROM {table} WHERE job_id = ANY (%s)".encode(), [ids])
    rows.execute("DELETE FROM policies")


@pytest.mark.usefixtures("hostile")
def test_hostile_texts_do_nothing_and_no_foreign_host_is_asked(dashboard: RunningServer, page: Page) -> None:
    """With prompts shown and hostile words in the address, the browser asks this server only and runs nothing else."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    bounds = "from=2001-04-01T00:00:00Z&to=2001-05-01T00:00:00Z"

    # An address with such words is loaded, and others are gone to; the jobs come last.
    wrong = f"/?{bounds}&bad=<img src=//{FOREIGN}/h>"
    page.goto(dashboard.url + wrong)
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

    assert {urlsplit(url).netloc for url in asked if urlsplit(url).netloc} == {urlsplit(dashboard.url).netloc}
    assert [text for text in said if "Content Security Policy" in text] == []
