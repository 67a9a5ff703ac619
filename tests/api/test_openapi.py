"""Schemathesis: requests made up from `openapi.json`, right and wrong, against a real server."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.db.startup import open_databases
from core.instants import parse_instant
from core.jobs.filter import DateRange
from core.settings import Settings
from tests.conftest import ROOT, TestServer
from tests.support.asgi import make_key
from tests.support.ordered_bounds import LONGEST, order
from tests.support.serving import ApiProcess, serve_api

MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)).map(lambda moment: f"{moment.isoformat()}z")
OFFSETS = st.sampled_from(["Z", "+00:00", "-23:59", "+14:00"])
TIMES = MOMENTS | st.builds("{}T{}{}".format, st.dates(date(2, 1, 1), date(9998, 1, 1)), st.just("12:00:00.5"), OFFSETS)


@pytest.fixture(scope="module")
def api(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    name = f"fencepost_test_{uuid4().hex[:12]}"
    log = tmp_path_factory.mktemp("api") / "api.log"
    with serve_api(server.create_migrated(name), log, FENCEPOST_REQUESTS_PER_MINUTE="1000000") as running:
        yield running
    server.drop(name)


def test_the_server_keeps_what_its_description_promises(api: ApiProcess, pytestconfig: pytest.Config) -> None:
    """No request that fits the description is refused, none that does not is accepted, and every answer fits it."""
    databases = open_databases(Settings(database_url=SecretStr(api.database_url)))
    key = make_key(databases, None)
    databases.close()

    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"{api.url}/api/v1/openapi.json"),
            *("--header", f"Authorization: {key}", "--checks", "all", "--no-color"),
            *("--max-examples", str(pytestconfig.getoption("--examples"))),
            *("--seed", str(pytestconfig.getoption("--fuzz-seed"))),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "internal error" not in api.log()


@given(TIMES, TIMES)
def test_bounds_are_put_in_order_and_nothing_else(start: str, end: str) -> None:
    """What Schemathesis is helped with: any two times become a range, and a range stays as it is."""
    instants = parse_instant("from", start), parse_instant("to", end)

    ordered = order(start, end)

    DateRange(parse_instant("from", ordered["from"]), parse_instant("to", ordered["to"]))
    if timedelta() <= instants[1] - instants[0] <= LONGEST:
        assert ordered == {"from": start, "to": end}
