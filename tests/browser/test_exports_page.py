"""The page of exports, as somebody uses it: exports that run, and files that are verified where they are."""

import base64
import hashlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, Request, WebSocket, expect
from pydantic import SecretStr

from core.db.startup import open_databases
from core.export.job_columns import HEADER
from core.export.verification import inspect_file
from core.settings import Settings
from tests.browser.conftest import PATIENCE, launch_shell, new_profile
from tests.browser.test_jobs_page import run_core, wait_for
from tests.conftest import ROOT
from tests.support.asgi import make_key
from tests.support.rows import insert_large_jobs
from tests.support.servers import RunningServer, serving_dashboard
from tests.support.stillness import wait_until_still

# Far more than lies in the buffers of two sockets, so that an export waits for its reader.
JOBS, SIZE = 400, 100_000
FACTS = ROOT / "dashboard" / "exports" / "file_facts.js"
APRIL = {"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}

# A harmless word that stands in every prompt, and must never leave the browser.
MARKER = "lantern-by-the-harbour"


@pytest.fixture(scope="module")
def running(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A dashboard with large jobs, which nobody else uses. The last test that does kills it."""
    with psycopg.connect(shared_url) as connection:
        insert_large_jobs(connection, JOBS, size=SIZE)
    with serving_dashboard(shared_url, tmp_path_factory.mktemp("running")) as server:
        yield server


@pytest.fixture(scope="module")
def compiling(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium that compiles well, as people have it: what reads megabytes takes far longer in that of `browser`."""
    with launch_shell(playwright) as launched:
        yield launched


@pytest.fixture(scope="module")
def key(shared_url: str) -> str:
    databases = open_databases(Settings(database_url=SecretStr(shared_url)))
    made = make_key(databases, None, name="lawyers")
    databases.close()
    return made


@pytest.fixture(scope="module")
def archive(
    running: RunningServer, shared_url: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunningServer, Path]:
    """The same dashboard, and a complete export of two jobs, one of which has line ends and quotes in its prompt."""
    with psycopg.connect(shared_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO jobs (job_id, client_id, type, status, created_at, prompt) VALUES"
            " (gen_random_uuid(), 'acme', 'prompt', 'completed', '2026-03-02Z', %s),"
            " (gen_random_uuid(), 'acme', 'prompt', 'completed', '2026-03-03Z', %s)",
            [MARKER, f'one\n"{MARKER}"\nthree'],
        )
    file = tmp_path_factory.mktemp("archive") / "march.csv"
    file.write_bytes(run_core(shared_url, "export", "--from=2026-03-01T00:00:00Z", "--to=2026-04-01T00:00:00Z"))
    return running, file


def stream(server: RunningServer, key: str) -> Any:
    """Begin to read an export."""
    return httpx.stream(
        "GET",
        f"{server.url}/api/v1/jobs/export",
        params=APRIL,
        headers={"Authorization": key},
        timeout=60,
        trust_env=False,
    )


def open_exports(page: Page, server: RunningServer, query: str = "") -> None:
    page.goto(f"{server.url}/exports{query}")
    wait_until_still(page)
    expect(page.get_by_label("Choose a file or drop it here")).to_be_visible()


def badge(page: Page, word: str) -> Locator:
    """Find the badge with this word, which stands after its sign."""
    return page.get_by_text(re.compile(rf"\b{word}$"))


def shown_rows(page: Page) -> int:
    """Read how many rows the first export in the list has."""
    found = re.search(r"([\d,]+) rows?\b", page.get_by_text(re.compile(r"^[\d,]+ rows? · ")).first.inner_text())
    assert found
    return int(found[1].replace(",", ""))


def test_a_running_export_is_watched_to_its_end(running: RunningServer, page: Page, key: str) -> None:
    """Rows grow on the open page while a reader reads, and it says "Interrupted" when the reader has left.

    A dialog that is open then stays open.
    """
    dialog = page.get_by_role("dialog", name="Keyboard")
    with stream(running, key) as answer:
        blocks = answer.iter_bytes(1 << 20)
        next(blocks)
        open_exports(page, running)
        expect(badge(page, "Running")).to_be_visible()
        expect(page.get_by_text("by the key “lawyers” through the API")).to_be_visible()
        wait_for(page, lambda: shown_rows(page) > 0)
        before = shown_rows(page)
        for _ in range(15):
            next(blocks)
        wait_for(page, lambda: shown_rows(page) > before)
        page.get_by_role("button", name="Keyboard ?").click()
        expect(dialog).to_be_visible()

    badge(page, "Interrupted").wait_for()
    expect(badge(page, "Interrupted")).to_be_visible()
    wait_until_still(page)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(badge(page, "Running")).to_have_count(0)
    page.get_by_role("button", name="Receipt").click()
    page.wait_for_url("**/exports?export=*")
    wait_until_still(page)
    expect(page.get_by_text("The reader went away or stopped reading.")).to_be_visible()
    # In the zone of the browser, as all times of the page.
    wait_until_still(page)
    expect(page.get_by_text("up to, not including, 1 May 2026 02:00 (Europe/Berlin).")).to_be_visible()
    page.get_by_role("link", name="Show these jobs").click()
    page.wait_for_url(f"{running.url}/?from=2026-04-01T00%3A00%3A00Z&to=2026-05-01T00%3A00%3A00Z")
    wait_until_still(page)
    expect(page.get_by_role("link", name=f"Download CSV · {JOBS:,} rows")).to_be_visible()
    page.go_back()
    page.get_by_text("The reader went away or stopped reading.").wait_for()
    expect(page.get_by_text("The reader went away or stopped reading.")).to_be_visible()
    wait_until_still(page)
    page.go_back()
    page.get_by_text("Everybody's exports").wait_for()
    expect(page.get_by_text("Everybody's exports")).to_be_visible()


DAMAGED: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (
        lambda body: body[:-2],
        "Its last record is not closed: the file was cut. It holds 1 closed record in {size} bytes.",
    ),
    (
        lambda body: body.removeprefix(b"\xef\xbb\xbf"),
        "It does not begin with the byte order mark of an export. It holds 2 closed records in {size} bytes.",
    ),
    (lambda body: b"", "The file is empty."),
)


def test_a_file_is_known_or_described_and_its_content_stays_here(
    archive: tuple[RunningServer, Path], page: Page, tmp_path: Path
) -> None:
    """A complete export is recognised, its receipt is a click away, and nothing of the file was sent.

    What is wrong with another, be it cut, without byte order mark or empty, is said in the words of `core verify`.
    """
    running, export = archive
    sent: list[bytes] = []

    def record_request(request: Request) -> None:
        sent.append(request.url.encode() + (request.post_data_buffer or b""))

    def record_frame(frame: str | bytes) -> None:
        sent.append(frame if isinstance(frame, bytes) else frame.encode())

    def record_socket(socket: WebSocket) -> None:
        socket.on("framesent", record_frame)

    page.on("request", record_request)
    page.on("websocket", record_socket)
    open_exports(page, running)

    for number, (cut, sentence) in enumerate(DAMAGED):
        damaged = tmp_path / f"{number}_{export.name}"
        damaged.write_bytes(cut(export.read_bytes()))
        said = sentence.format(size=damaged.stat().st_size)
        page.get_by_label("Choose a file or drop it here").set_input_files(damaged)

        expect(page.get_by_text(f"{said} No complete export has these bytes.")).to_be_visible()
        expect(page.get_by_text("This is not a complete export.")).to_be_visible()

    page.get_by_label("Choose a file or drop it here").set_input_files(export)
    expect(page.get_by_text("This is a complete export: not a byte is missing or changed.")).to_be_visible()
    expect(page.get_by_text(f"It holds 2 records in {export.stat().st_size:,} bytes.")).to_be_visible()
    page.get_by_role("button", name="Its receipt").click()

    sha256 = hashlib.sha256(export.read_bytes()).hexdigest()
    expect(page.get_by_text(sha256)).to_be_visible()
    # Nothing is said of a file where none is chosen.
    expect(page.get_by_text("This is a complete export", exact=False)).to_have_count(0)
    everything = b"".join(sent)
    assert sha256.encode() in everything
    assert MARKER.encode() in export.read_bytes()
    assert MARKER.encode() not in everything
    assert export.name.encode() not in everything


def test_a_large_file_takes_no_memory(archive: tuple[RunningServer, Path], compiling: Browser, tmp_path: Path) -> None:
    """150 MB are read piece by piece: the browser's processes grow by less, however many, and it can be stopped."""
    file = tmp_path / "large.csv"
    with file.open("wb") as opened:
        opened.truncate(150_000_000)
    # A process that holds nothing of other pages.
    page = new_profile(compiling).new_page()
    open_exports(page, archive[0])
    field = page.get_by_label("Choose a file or drop it here")
    before = resident(compiling)
    most = before

    field.set_input_files(file)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Stopped: nothing was verified.")).to_be_visible()
    field.set_input_files(file)
    expect(page.get_by_role("progressbar", name="Reading the file")).to_be_visible()
    while page.get_by_text("large.csv was read.").count() == 0:
        most = max(most, resident(compiling))
        page.wait_for_timeout(250)

    expect(page.get_by_text("It holds 0 closed records in 150,000,000 bytes.")).to_be_visible(timeout=4 * PATIENCE)
    assert most - before < 120_000_000


def test_an_export_of_a_killed_server_failed(
    running: RunningServer, shared_url: str, page: Page, key: str, tmp_path: Path
) -> None:
    """After SIGKILL the half file is no export, and says why; the receipt ends as failed once its heartbeat is lost."""
    half = tmp_path / "half.csv"
    with stream(running, key) as answer, half.open("wb") as file:
        blocks = answer.iter_bytes(1 << 20)
        file.write(next(blocks))
        running.process.send_signal(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            file.writelines(blocks)
    running.process.wait()
    with psycopg.connect(shared_url) as connection:
        ((export_id,),) = connection.execute(
            "UPDATE exports SET heartbeat_at = heartbeat_at - interval '61 seconds' WHERE status = 'running'"
            " RETURNING export_id"
        ).fetchall()

    # Where the first one was, so that the browser has loaded what it needs.
    port = int(running.url.rpartition(":")[2])
    with serving_dashboard(shared_url, tmp_path, port=port) as second:
        open_exports(page, second, f"?export={export_id}")
        expect(badge(page, "Failed")).to_be_visible()
    verified = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", "core", "verify", str(half), "--export-id", str(export_id)],
        cwd=ROOT,
        env={"DATABASE_URL": shared_url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
        text=True,
    )

    with psycopg.connect(shared_url) as connection:
        found = connection.execute("SELECT status FROM exports WHERE export_id = %s", [export_id]).fetchone()
    assert found == ("failed",)
    assert verified.returncode == 1
    assert f"is not complete: export {export_id} is failed, not complete." in verified.stderr
    assert "Its last record is not closed: the file was cut." in verified.stderr


# A body: parts, and how often each comes.
Parts = list[tuple[bytes, int]]

LENGTHS = [0, 1, 2, 3, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1 << 20, (1 << 20) + 1]
LENGTHS += [(4 << 20) - 1, 4 << 20, (4 << 20) + 1]


def test_the_browser_finds_what_python_finds(compiling: Browser, tmp_path: Path) -> None:
    """SHA-256 and the other facts are the same in both, for lengths at every boundary and for odd files."""
    page = compiling.new_page()
    start, piece = b"\xef\xbb\xbf" + HEADER, 4 << 20
    bodies: list[Parts] = [[(bytes(range(256)), length // 256), (bytes(range(length % 256)), 1)] for length in LENGTHS]
    odd = [start, HEADER, start + b'1,"a\nb"\n2,""""\n', start + b'1,"', start[:-1], b"\n" * 100, b'"' * 99]
    odd += [start + b'\r\n1,"\n\n"\n\n', start + b"\r\r\n\n"]
    bodies += [[(body, 1)] for body in odd]
    bodies.append([(start, 1), (b"\n", piece)])
    line = start + b"1\n"
    tails = (b"\n\r\n\n", b"x\n\r\n", b'"\n\n\r\n')
    bodies += [[(line, 1), (b"x", piece - 2 - len(line)), (tail, 1)] for tail in tails]
    expected = []
    for parts in bodies:
        file = tmp_path / "body"
        file.write_bytes(b"".join(part * times for part, times in parts))
        with file.open("rb") as opened:
            found = inspect_file(opened, str(file))
        expected.append({name: getattr(found, name) for name in found.__slots__})

    facts = [
        page.evaluate(
            """async ([worker, header, parts]) => {
                const bytes = parts.map(([part, times]) => {
                    const once = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
                    const all = new Uint8Array(once.length * times);
                    for (let at = 0; at < all.length; at += once.length) all.set(once, at);
                    return all;
                });
                const url = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
                const running = new Worker(url);
                return await new Promise((resolve) => {
                    running.onmessage = ({ data }) => {
                        if ("read" in data) return;
                        running.terminate();
                        resolve(data.facts ?? data);
                    };
                    running.postMessage({ file: new File(bytes, "body"), header });
                });
            }""",
            [FACTS.read_text(), HEADER.decode(), [(base64.b64encode(part).decode(), times) for part, times in parts]],
        )
        for parts in bodies
    ]

    assert facts == expected


def resident(browser: Browser) -> int:
    """Return the bytes of memory that the browser's pages hold."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    total = 0
    for process in processes:
        if process["type"] == "renderer":
            status = Path(f"/proc/{process['id']}/status").read_text()
            total += 1024 * int(status.split("RssAnon:")[1].split()[0])
    return total


# Streamlit's bar moves all of a page by 16 pixels when it comes, which is before anything can be pressed.
KNOW_SHIFTS = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    const isByTheBar = each.sources.length && each.sources.every(({ node, previousRect, currentRect }) =>
      node?.dataset?.testid === "stMainBlockContainer" && currentRect.y - previousRect.y <= 16);
    if (!isByTheBar) window.moved += each.value;
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def test_the_list_stays_where_it_is_while_the_page_is_loaded(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Nobody presses what has just moved (a good page's layout shift is below 0.1); the field still grows."""
    listed = rows.execute(
        "INSERT INTO exports (export_id, requested_by, via, filter, status, finished_at) SELECT gen_random_uuid(),"
        " 'user:demo', 'dashboard', jsonb_build_object('from', '2026-04-01T00:00:00Z', 'to', '2026-05-01T00:00:00Z'),"
        " 'failed', now() FROM generate_series(1, 12) RETURNING export_id"
    ).fetchall()
    page.add_init_script(KNOW_SHIFTS)

    page.goto(f"{dashboard.url}/exports")
    expect(page.get_by_label("Choose a file")).to_be_visible()
    wait_until_still(page)
    moved = page.evaluate("window.moved")
    page.get_by_label("Choose a file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"a"})
    expect(page.get_by_text("a.csv was read.")).to_be_visible()
    wait_until_still(page)
    cut = page.locator(".st-key-file_check_list").evaluate("field => field.scrollHeight - field.clientHeight")
    rows.execute("DELETE FROM exports WHERE export_id = ANY (%s)", [[each[0] for each in listed]])

    assert moved < 0.1
    assert cut == 0
