"""What a monitor reads: numbers for who has the token, readiness for everybody, and a log that programs read."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from core.actor import COMMAND_LINE
from core.db.startup import open_databases
from core.export.job_columns import HEADER
from core.intake.importer import import_jobs
from core.intake.job_file import JobFile
from core.metrics.scrape import GAUGES
from core.settings import Settings
from tests.conftest import ROOT, TestServer
from tests.support.asgi import make_key
from tests.support.rows import insert_job
from tests.support.serving import ApiProcess, serve_api
from tests.support.waiting import wait_for

TOKEN = "a token that a monitor has"
PROMPT, CLIENT = "a lighthouse by the sea", "acme-of-the-north"
TARGET = "/api/v1/jobs/export?from=2002-04-01T00:00:00Z&to=2002-05-01T00:00:00Z"
ESCALATE = """
    INSERT INTO reviews (act_id, person, job_id, client_id, job_created_at, is_prohibited, evaluated, verdict, note)
    SELECT gen_random_uuid(), 'somebody', job_id, client_id, created_at, true, true, 'escalate', '' FROM jobs
    WHERE job_id = %s
"""


@pytest.fixture(scope="module")
def served(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """An API with a token for its numbers, whose log is JSON; it has a job with a prompt and a client."""
    name = "fencepost_test_metrics"
    url = server.create_migrated(name)
    with psycopg.connect(url, autocommit=True) as rows:
        job_id = insert_job(rows, prompt=PROMPT, client_id=CLIENT, created_at="2002-04-15T13:00:00Z")
        rows.execute(ESCALATE, [job_id])
    log = tmp_path_factory.mktemp("metrics") / "api.log"
    with serve_api(url, log, FENCEPOST_METRICS_TOKEN=TOKEN, FENCEPOST_LOG="json") as running:
        yield running
    server.drop(name)


def scraped(served: ApiProcess) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return each number by its name and labels, as Prometheus would store it."""
    response = served.get("/metrics", f"Bearer {TOKEN}")
    assert response.status_code == 200, response.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_an_export_and_a_refusal_are_counted_and_nobody_is_named(served: ApiProcess) -> None:
    """What was exported and refused stands there in numbers; no prompt, client, key, path or address does."""
    key = make_key_in(served)
    before = scraped(served)

    assert served.get(TARGET, key).status_code == 200
    assert served.get(TARGET, "Bearer fp_nobody").status_code == 401
    ended = ("fencepost_exports_total", (("status", "complete"), ("via", "api")))
    wait_for(lambda: ended in scraped(served), "the end of the export")
    after = scraped(served)
    text = served.get("/metrics", f"Bearer {TOKEN}").text

    grown = {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if name[0]
        in ("fencepost_exports_total", "fencepost_export_rows_total", "fencepost_export_first_byte_seconds_count")
    }
    assert grown == {
        ("fencepost_exports_total", (("status", "complete"), ("via", "api"))): 1,
        ("fencepost_export_rows_total", (("via", "api"),)): 1,
        ("fencepost_export_first_byte_seconds_count", ()): 1,
    }
    assert after[("fencepost_requests_total", (("route", "/api/v1/jobs/export"), ("status", "401")))] >= 1
    assert after[("fencepost_exports_running", ())] == 0
    assert after[("fencepost_audit_head_age_seconds", ())] >= 0
    key_id = key.removeprefix("Bearer ").split("_")[1]
    assert not [said for said in (PROMPT, CLIENT, key_id, "127.0.0.1", "2002-04", "fp_") if said in text]


def test_what_commands_have_imported_and_who_waits_is_counted(served: ApiProcess) -> None:
    """Imports are counted in the database, whichever process they were, by what became of their records; and the jobs
    of each queue are, once a minute."""
    written = [f"{uuid4()},prompt,completed,{word},2002-05-15T12:00:00Z,,,,true,,\n" for word in ("true", "maybe")]
    file = JobFile(
        file=BytesIO(HEADER + "".join(written).encode()),
        client_id="acme",
        name="a.csv",
        skipped=BytesIO(),
    )
    before = scraped(served)
    opened = open_databases(Settings(database_url=SecretStr(served.database_url)))
    import_jobs(opened, file, COMMAND_LINE)
    opened.close()
    escalated = ("fencepost_queue_jobs", (("queue", "escalated"),))
    wait_for(lambda: escalated in scraped(served), "the count of the queues")
    after = scraped(served)

    assert {
        dict(labels)["outcome"]: after[name, labels] - before[name, labels]
        for name, labels in after
        if name == "fencepost_import_records_total" and dict(labels)["origin"] == "file"
    } == {"inserted": 1, "updated": 0, "unchanged": 0, "set aside": 1}
    assert after["fencepost_imports_total", (("origin", "file"),)] == 1
    assert 0 < after["fencepost_import_seconds_total", (("origin", "file"),)] < 60
    assert {dict(labels)["queue"]: after[name, labels] for name, labels in after if name == escalated[0]} == {
        "second": 1,
        "disagreed": 0,
        "escalated": 1,
        "samples": 0,
    }


def make_key_in(served: ApiProcess) -> str:
    """Make a key of the client that has the job."""
    opened = open_databases(Settings(database_url=SecretStr(served.database_url)))
    try:
        return make_key(opened, CLIENT)
    finally:
        opened.close()


@pytest.mark.parametrize("authorization", [(), ("Bearer wrong",), (f"Basic {TOKEN}",), (TOKEN,)], ids=str)
def test_without_the_token_there_are_no_numbers(served: ApiProcess, authorization: tuple[str, ...]) -> None:
    """Who has no token, or another, is told to send one, and nothing else."""
    response = served.get("/metrics", *authorization)

    assert response.status_code == 401
    assert response.json() == {
        "error": "UNAUTHORIZED",
        "message": "No valid token was given: send the value of FENCEPOST_METRICS_TOKEN as `Authorization: Bearer`.",
        "statusCode": 401,
    }


def test_it_is_ready_when_the_tables_are_those_of_this_version(served: ApiProcess) -> None:
    """`/ready` needs no key; where the tables are those of another version it is 503, and `/health` still 200."""
    assert served.get("/ready").json() == {"status": "ready"}

    with psycopg.connect(served.database_url, autocommit=True) as tables:
        (versions,) = tables.execute("SELECT array_agg(version_num) FROM alembic_version").fetchone() or ([],)
        tables.execute("UPDATE alembic_version SET version_num = 'fencepost_0001' WHERE version_num LIKE 'fencepost%'")
        refused = served.get("/ready"), served.get("/health")
        for version in versions:
            if version.startswith("fencepost"):
                tables.execute(
                    "UPDATE alembic_version SET version_num = %s WHERE version_num = 'fencepost_0001'", (version,)
                )

    assert [response.status_code for response in refused] == [503, 200]
    assert served.get("/ready").status_code == 200


def test_a_line_of_the_log_is_an_object_with_the_id_of_its_request(served: ApiProcess) -> None:
    """The id that a proxy gave is in the answer and in the line, with method, path, status and milliseconds.

    No line is anything but an object.
    """
    response = served.get("/health", x_request_id="from-the-proxy-7")
    wait_for(lambda: "from-the-proxy-7" in served.log(), "the line of the request")
    lines = [json.loads(line) for line in served.log().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "from-the-proxy-7"]

    assert response.headers["x-request-id"] == "from-the-proxy-7"
    assert (line["logger"], line["level"], line["method"], line["path"], line["status"], line["is_complete"]) == (
        *("fencepost.requests", "INFO", "GET", "/health", 200, True),
    )
    assert isinstance(line["milliseconds"], int)


def test_statements_carry_the_id_of_their_request(served: ApiProcess) -> None:
    """The server of the database sees for which request a statement is: a lock shows whose look waits."""
    with psycopg.connect(served.database_url) as holding, psycopg.connect(served.database_url, autocommit=True) as eyes:
        holding.execute("LOCK TABLE exports IN ACCESS EXCLUSIVE MODE")
        waiting = httpx.Client(trust_env=False, timeout=0.5)
        headers = {"authorization": f"Bearer {TOKEN}", "x-request-id": "slow-1"}
        with pytest.raises(httpx.TimeoutException):
            waiting.get(f"{served.url}/metrics", headers=headers)
        waiting.close()
        found = eyes.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%/* request slow-1 */'"
        ).fetchone()

    assert found == (1,)


def test_what_the_files_for_monitors_name_is_there(served: ApiProcess) -> None:
    """Every name of ours in the dashboard and the alerts of `deploy/` is one that is scraped, or would be."""
    known = {name for name, _ in scraped(served)} | {metric for metric, _ in GAUGES.values()}
    families = {
        family.name for family in text_string_to_metric_families(served.get("/metrics", f"Bearer {TOKEN}").text)
    }
    known |= families | {f"{name}{end}" for name in families for end in ("_total", "_bucket", "_count", "_sum")}
    named = {
        name
        for file in (ROOT / "deploy/grafana-dashboard.json", ROOT / "deploy/alerts.yml")
        for name in re.findall(r"\bfencepost_\w+", file.read_text())
    }

    assert named - known == set()
    assert len(named) > 8


def test_what_a_library_says_is_an_object_too() -> None:
    """psycopg warns of a connection that it gives up; its line has the form of all others."""
    program = "import logging.config, api.server as s; logging.config.dictConfig(s.logging_as('json')); "
    program += "logging.getLogger('psycopg').warning('gave up')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, check=True)
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]

    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "psycopg", "gave up")
