"""`openapi.json`: is it right, and does a real server keep it, for requests that Schemathesis makes up?"""

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core.actor import KEY_SCOPES, Scope
from core.db.databases import Databases
from core.instants import parse_instant
from core.jobs.filter import PARAMETERS, DateRange
from core.program import VERSION
from core.settings import Settings
from tests.conftest import ROOT
from tests.support.asgi import EXPORT, make_key
from tests.support.ordered_bounds import LONGEST, order
from tests.support.serving import ApiProcess

MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)).map(lambda moment: f"{moment.isoformat()}z")
OFFSETS = st.sampled_from(["Z", "+00:00", "-23:59", "+14:00"])
TIMES = MOMENTS | st.builds("{}T{}{}".format, st.dates(date(2, 1, 1), date(9998, 1, 1)), st.just("12:00:00.5"), OFFSETS)


@pytest.fixture
def settings(api: ApiProcess) -> Settings:
    """The process's own database."""
    return Settings(database_url=SecretStr(api.database_url))


@pytest.fixture
def key(databases: Databases) -> str:
    return make_key(databases, None, scopes=frozenset(KEY_SCOPES))


def test_the_server_keeps_what_its_description_promises(api: ApiProcess, key: str, pytestconfig: pytest.Config) -> None:
    """No request that fits the description is refused, none that does not is accepted, and every answer fits it."""
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


def test_description_is_valid_and_lists_what_there_is(api: ApiProcess) -> None:
    """The description is OpenAPI, and lists exactly our parameters and the contract's addresses."""
    answer = api.get("/api/v1/openapi.json")

    document = answer.json()
    assert document["info"]["version"] == VERSION
    # Imported here, because it takes longer than the test, and every worker collects this file.
    from openapi_spec_validator import validate

    validate(document)
    assert answer.headers["content-type"] == "application/json"
    assert {path: list(methods) for path, methods in document["paths"].items()} == {
        "/api/v1/jobs/export": ["get"],
        "/api/v1/reviews/export": ["get"],
        "/api/v1/jobs/{job_id}/reviews": ["get"],
        "/api/v1/exports/{export_id}": ["get"],
        "/api/v1/openapi.json": ["get"],
        "/health": ["get"],
        "/ready": ["get"],
    }
    described = document["paths"]["/api/v1/jobs/export"]["get"]["parameters"]
    assert [parameter["name"] for parameter in described if parameter["in"] == "query"] == list(PARAMETERS)
    assert [parameter["name"] for parameter in described if parameter.get("required")] == ["from", "to"]


def test_description_fits_what_is_answered(api: ApiProcess, databases: Databases, key: str) -> None:
    """The answers that callers get are among those described, with the described kind of body."""
    paths = api.get("/api/v1/openapi.json").json()["paths"]
    export_id = api.get(EXPORT, key).headers["x-export-id"]
    scopeless = make_key(databases, scopes=frozenset[Scope]())
    asked: list[tuple[str, str, list[str]]] = [
        ("/health", "/health", []),
        ("/ready", "/ready", []),
        ("/api/v1/openapi.json", "/api/v1/openapi.json", []),
        ("/api/v1/jobs/export", EXPORT, [key]),
        ("/api/v1/jobs/export", EXPORT, []),
        ("/api/v1/jobs/export", EXPORT, [scopeless]),
        ("/api/v1/jobs/export", f"{EXPORT}&type=", [key]),
        ("/api/v1/exports/{export_id}", f"/api/v1/exports/{export_id}", [key]),
        ("/api/v1/exports/{export_id}", f"/api/v1/exports/{export_id}", [scopeless]),
        ("/api/v1/exports/{export_id}", "/api/v1/exports/x", [key]),
    ]

    statuses = []
    for path, target, authorization in asked:
        answer = api.get(target, *authorization)
        described: dict[str, Any] = paths[path]["get"]["responses"][str(answer.status_code)]
        assert list(described["content"]) == [answer.headers["content-type"].partition(";")[0]]
        statuses.append(answer.status_code)

    assert statuses == [200, 200, 200, 200, 401, 403, 400, 200, 403, 404]
