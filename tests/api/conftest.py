"""A `python -m api` for all tests of a file."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.conftest import TestServer
from tests.support.serving import ApiProcess, serve_api


@pytest.fixture(scope="module")
def api(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """One process for all tests of a file, which ask it more often than a client may."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    log = tmp_path_factory.mktemp("api") / "api.log"
    with serve_api(server.create_migrated(name), log, FENCEPOST_REQUESTS_PER_MINUTE="1000000") as running:
        yield running
    server.drop(name)
