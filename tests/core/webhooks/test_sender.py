"""Webhooks from verdict to endpoint: what is told and to whom, again until it has arrived, and under SIGKILL."""

import json
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Row
from standardwebhooks import Webhook

from core.actor import COMMAND_LINE, Forbidden
from core.db.databases import Databases
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.jobs.filter import Category
from core.quality.finishing import LASTING, finish_samples
from core.quality.samples import Judging, Plan, draw_sample
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from core.webhooks.deliveries import (
    MOST_ATTEMPTS,
    PAUSES,
    State,
    claim_due,
    forget_old,
    list_deliveries,
    pause_after,
    send_again,
)
from core.webhooks.endpoints import (
    create_endpoint,
    list_endpoints,
    pause_endpoint,
    remove_endpoint,
    resume_endpoint,
)
from core.webhooks.events import WebhookEvent
from core.webhooks.post import Postman
from core.webhooks.sender import Sender
from tests.conftest import ROOT
from tests.core.review.test_verdicts import ANN, BEN, job, review
from tests.support.commands import RunCore
from tests.support.documents import april
from tests.support.rows import insert_job
from tests.support.serving import free_port
from tests.support.waiting import PATIENCE, wait_for
from tests.support.webhook_receiver import Receiver, make_server, receiving

LOOPBACK = ["127.0.0.0/8"]
ALLOWED = {"fencepost_webhook_networks": "127.0.0.0/8"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as heard:
        yield heard


@pytest.fixture
def sender(databases: Databases, settings: Settings) -> Sender:
    return Sender(databases, settings.model_copy(update=ALLOWED))


def listen(databases: Databases, url: str, *events: WebhookEvent, client_id: str | None = None) -> str:
    """Make an endpoint that hears of some events, or of all; return its secret."""
    return create_endpoint(
        databases, COMMAND_LINE, url=url, events=events or WebhookEvent, client_id=client_id, networks=LOOPBACK
    )


def only(databases: Databases) -> Row[tuple[object, ...]]:
    (delivery,) = list_deliveries(databases.ours, limit=10)
    return delivery


def let_time_pass(connection: psycopg.Connection) -> None:
    """Make what waits after a failure due now."""
    connection.execute("UPDATE webhook_deliveries SET due_at = now() WHERE last_error IS NOT NULL")


def test_a_verdict_is_told_signed_and_without_a_text(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """An overturned and an escalated job are told with ids, times, verdict, categories and client, and no more."""
    secret = listen(databases, receiver.url)
    job_id = insert_job(connection, is_prohibited=True, prompt="a private prompt", reason="a private reason")

    flags = frozenset({Category.NSFW})
    record_review(databases, ANN, [job(databases, job_id)], Review(Verdict.OVERTURN, flags, "a private note"))
    record_review(databases, BEN, [job(databases, job_id)], Review(Verdict.ESCALATE, note="a private note"))
    review(databases, COMMAND_LINE, job_id, Verdict.AGREE)
    sent = sender.send_due()

    assert sent == {State.DELIVERED: 2}
    bodies = [Webhook(secret).verify(body, headers) for headers, body in receiver.heard]
    assert [body["type"] for body in bodies] == ["review.overturned", "review.escalated"]
    overturned = bodies[0]["data"]
    assert (overturned["job_id"], overturned["client_id"]) == (str(job_id), "acme")
    assert (overturned["verdict"], overturned["categories"]) == ("overturn", ["nsfw"])
    assert set(overturned) == {
        *("review_id", "act_id", "job_id", "job_created_at", "reviewed_at", "verdict", "categories", "client_id")
    }
    assert "private" not in str(receiver.heard)
    assert "user:" not in str(receiver.heard)


def test_a_client_hears_of_its_own_jobs_and_an_endpoint_of_what_it_wants(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """Another client's jobs are told to nobody who is bound to a client; other events to nobody who did not ask."""
    listen(databases, f"{receiver.url}/acme", client_id="acme")
    listen(databases, f"{receiver.url}/samples", WebhookEvent.SAMPLE_FINISHED)
    ours, theirs = (insert_job(connection, is_prohibited=True, client_id=name) for name in ("acme", "other"))
    for client_id in ("acme", "other"):
        draw_sample(databases, COMMAND_LINE, april(client_id=client_id), Plan(client_id, 1))

    for job_id in (ours, theirs):
        review(databases, ANN, job_id, Verdict.OVERTURN)
    sender.send_due()

    said = Counter((json.loads(body)["type"], json.loads(body)["data"]["client_id"]) for _, body in receiver.heard)
    assert said == {
        ("review.overturned", "acme"): 1,
        ("sample.finished", "acme"): 2,
        ("sample.finished", "other"): 1,
    }


def test_a_sample_is_finished_once_by_its_last_opinion(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """With two opinions each the fourth one of two jobs finishes it; what follows, and other samples, tell nothing."""
    listen(databases, receiver.url, WebhookEvent.SAMPLE_FINISHED)
    jobs = [insert_job(connection, is_prohibited=True) for _ in range(2)]
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 2), Judging(opinions=2))
    told = []
    for by, job_id in ((ANN, jobs[0]), (ANN, jobs[1]), (BEN, jobs[0]), (BEN, jobs[1]), (BEN, jobs[1])):
        review(databases, by, job_id, Verdict.AGREE)
        finish_samples(databases, {})
        sender.send_due()
        told.append(len(receiver.heard))

    assert told == [0, 0, 0, 1, 1]
    data = json.loads(receiver.heard[0][1])["data"]
    assert (data["sample_id"], data["client_id"]) == (str(sample_id), None)
    assert set(data) == {"sample_id", "drawn_at", "finished_at", "client_id"}


def test_no_sample_is_finished_while_there_are_no_jobs_at_all(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Tables that are filled anew are empty for a moment; once there are others, what was drawn is gone."""
    insert_job(connection, is_prohibited=True)
    draw_sample(databases, COMMAND_LINE, april(), Plan("a", 1))
    found = []

    connection.execute("TRUNCATE jobs CASCADE")
    for _ in range(2):
        finish_for_good(databases)
        found += connection.execute("SELECT finished_at IS NOT NULL FROM samples").fetchall()
        insert_job(connection)

    assert found == [(False,), (True,)]


def finish_for_good(databases: Databases) -> None:
    """Look twice, as long after each other as nothing that is left must be there."""
    lost: dict[UUID, float] = {}
    finish_samples(databases, lost)
    finish_samples(databases, {sample_id: since - LASTING for sample_id, since in lost.items()})


def test_a_sample_outlives_tables_that_are_filled_anew_in_pieces(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Other jobs may be there again before those that were drawn; how long these were missing before says nothing."""
    job_id = insert_job(connection, is_prohibited=True)
    draw_sample(databases, COMMAND_LINE, april(), Plan("a", 1))
    lost: dict[UUID, float] = {}

    connection.execute("TRUNCATE jobs CASCADE")
    insert_job(connection)
    finish_samples(databases, lost)
    missed = len(lost)
    insert_job(connection, job_id=job_id, is_prohibited=True)
    finish_samples(databases, lost)

    assert (missed, lost) == (1, {})
    assert connection.execute("SELECT finished_at FROM samples").fetchall() == [(None,)]


def test_a_sample_that_can_have_no_more_verdicts_is_finished(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """It is finished when what is left is gone or decided anew, and when its last day is over; not before."""
    jobs = [insert_job(connection, is_prohibited=True) for _ in range(3)]
    lapsing = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 3))
    draw_sample(databases, COMMAND_LINE, april(), Plan("b", 3), Judging(last_day=datetime.now(UTC).date()))
    found = []

    def look() -> None:
        finish_for_good(databases)
        rows = connection.execute("SELECT sample_id FROM samples WHERE finished_at IS NOT NULL").fetchall()
        found.append({sample_id for (sample_id,) in rows})

    review(databases, ANN, jobs[0], Verdict.AGREE)
    connection.execute("DELETE FROM jobs WHERE job_id = %s", [jobs[1]])
    look()
    connection.execute("UPDATE samples SET last_day = last_day - 1")
    look()
    connection.execute("UPDATE jobs SET is_prohibited = false WHERE job_id = %s", [jobs[2]])
    look()

    assert [len(each) for each in found] == [0, 1, 2]
    assert lapsing not in found[1]


def test_what_was_not_recorded_is_not_told(databases: Databases, connection: psycopg.Connection) -> None:
    """The message is in the verdict's own transaction: where that fails there is neither."""
    listen(databases, "http://127.0.0.1:9/")
    job_id = insert_job(connection, is_prohibited=True)
    connection.execute("ALTER TABLE audit_events RENAME TO elsewhere")

    with pytest.raises(DatabaseUnavailable):
        review(databases, ANN, job_id, Verdict.OVERTURN)

    connection.execute("ALTER TABLE elsewhere RENAME TO audit_events")
    assert list_deliveries(databases.ours, limit=10) == []


def test_a_failure_is_tried_again_with_the_same_id_and_a_fresh_signature(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """After each failure it waits longer, and keeps its id and body; redirects are failures and are not followed."""
    secret = listen(databases, receiver.url)
    receiver.answers = [500, 302, 429]
    receiver.headers |= {"location": receiver.url + "/elsewhere", "retry-after": "7200"}
    review(databases, ANN, insert_job(connection, is_prohibited=True), Verdict.OVERTURN)
    seen = []

    for _ in range(4):
        sender.send_due()
        assert sender.send_due() == {}
        found = only(databases)
        seen.append((found.state, found.attempts, found.last_status, found.last_error))
        waits = found.due_at - datetime.now(UTC)
        if found.last_status == 429:
            assert timedelta(hours=1.9) < waits < timedelta(hours=2.1)
        let_time_pass(connection)

    assert seen == [
        ("waiting", 1, 500, "it refused the message"),
        ("waiting", 2, 302, "it sends on to another address, which is not followed"),
        ("waiting", 3, 429, "it refused the message"),
        ("delivered", 4, 204, None),
    ]
    assert len({(headers["webhook-id"], body) for headers, body in receiver.heard}) == 1
    assert len(receiver.heard) == 4
    for headers, body in receiver.heard:
        Webhook(secret).verify(body, headers)


def test_after_three_days_it_is_given_up_and_can_be_sent_again(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """The pauses make more than three days; then it is given up, until an admin sends it again by its old id."""
    listen(databases, receiver.url)
    review(databases, ANN, insert_job(connection, is_prohibited=True), Verdict.OVERTURN)
    receiver.answers = [503] * MOST_ATTEMPTS

    states = []
    for _ in range(MOST_ATTEMPTS + 1):
        states += list(sender.send_due())
        let_time_pass(connection)
    given_up = only(databases)
    with pytest.raises(Forbidden):
        send_again(databases, ANN, [given_up.delivery_id])
    send_again(databases, COMMAND_LINE, [given_up.delivery_id])
    again = sender.send_due()

    assert timedelta(days=3) < sum(PAUSES, timedelta()) < timedelta(days=4)
    assert PAUSES[3] <= pause_after(4) <= PAUSES[3] * 1.2
    assert pause_after(1, float("inf")) == timedelta(days=1)
    assert states == [State.WAITING] * (MOST_ATTEMPTS - 1) + [State.GIVEN_UP]
    assert (given_up.state, again) == ("given up", {State.DELIVERED: 1})
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1


def test_paused_removed_and_gone_endpoints_hear_nothing(
    databases: Databases, connection: psycopg.Connection, sender: Sender, receiver: Receiver
) -> None:
    """What happens while one is paused waits for it; 410 pauses one; a removed one has no secret."""
    listen(databases, receiver.url)
    ((endpoint_id, *_),) = list_endpoints(databases.ours)

    def overturn() -> None:
        review(databases, ANN, insert_job(connection, is_prohibited=True), Verdict.OVERTURN)

    pause_endpoint(databases, COMMAND_LINE, endpoint_id)
    overturn()
    assert sender.send_due() == {}
    resume_endpoint(databases, COMMAND_LINE, endpoint_id)
    receiver.answers = [410]
    assert sender.send_due() == {State.WAITING: 1}
    assert list_endpoints(databases.ours)[0].paused_at is not None
    resume_endpoint(databases, COMMAND_LINE, endpoint_id)
    remove_endpoint(databases, COMMAND_LINE, endpoint_id)
    overturn()
    let_time_pass(connection)
    assert sender.send_due() == {}
    forget_old(databases.ours)

    assert connection.execute(
        "SELECT (SELECT count(*) FROM webhook_deliveries), secret FROM webhook_endpoints"
    ).fetchone() == (0, None)
    events = connection.execute("SELECT event, actor, details->>'why' FROM audit_events WHERE event LIKE 'webhook%'")
    assert events.fetchall() == [
        ("webhook-created", "cli", None),
        ("webhook-paused", "cli", None),
        ("webhook-resumed", "cli", None),
        ("webhook-paused", "fencepost", "it answered 410"),
        ("webhook-resumed", "cli", None),
        ("webhook-removed", "cli", None),
    ]
    for act in (pause_endpoint, resume_endpoint, remove_endpoint):
        with pytest.raises(NotPossible):
            act(databases, COMMAND_LINE, endpoint_id)
        with pytest.raises(Forbidden):
            act(databases, ANN, endpoint_id)


def test_an_endpoint_that_may_not_be_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """Who is no admin, private addresses, no event and another client's wall are refused; the audit has no path."""
    fine: dict[str, Any] = {
        "url": "https://127.0.0.1/a-secret-path",
        "events": [WebhookEvent.REVIEW_ESCALATED],
        "client_id": None,
        "networks": LOOPBACK,
    }

    for by, changes, error in (
        (ANN, {}, Forbidden),
        (COMMAND_LINE, {"networks": []}, InvalidParameter),
        (COMMAND_LINE, {"events": []}, InvalidParameter),
        (COMMAND_LINE, {"client_id": " "}, InvalidParameter),
        (COMMAND_LINE, {"client_id": "a\u202eb"}, InvalidParameter),
        (COMMAND_LINE, {"url": "http://example.com/"}, InvalidParameter),
    ):
        with pytest.raises(error):
            create_endpoint(databases, by, **fine | changes)
    secret = create_endpoint(databases, COMMAND_LINE, **fine)

    assert len(list_endpoints(databases.ours)) == 1
    said = str(connection.execute("SELECT details FROM audit_events").fetchall())
    assert "127.0.0.1" in said
    assert "a-secret-path" not in said
    assert secret not in said


def test_the_certificate_is_to_be_the_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: Databases
) -> None:
    """It is spoken to at the number that was looked at, by its name, and only where the certificate is the name's."""
    own, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, own.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(own, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    key = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(pem + key)
    (tmp_path / "certificate.pem").write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    receiver = Receiver()
    server: ThreadingHTTPServer = make_server(0, receiver.take, {})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with Postman(LOOPBACK, timeout=10) as postman:
            secret = f"whsec_{'x' * 32}"
            answers = [
                postman.post(f"https://{host}:{server.server_port}/", secret, "msg_1", "{}")
                for host in ("localhost", "127.0.0.1")
            ]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert [(answer.status, answer.error) for answer in answers] == [
        (204, None),
        (None, "it does not prove that it is itself"),
    ]
    assert [headers["host"] for headers, _ in receiver.heard] == [f"localhost:{server.server_port}"]


def test_an_endpoint_that_hangs_or_is_away_is_said(databases: Databases) -> None:
    """One that drips or says nothing is dropped in time; one that is not there is not reached."""

    def drip(*_: object) -> int:
        wait_for(stopped.is_set, "the end of the test")
        return 204

    stopped = threading.Event()
    server = make_server(0, drip, {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with Postman(LOOPBACK, timeout=0.3) as postman:
            answers = [
                postman.post(f"http://127.0.0.1:{port}/", "whsec_xxxx", "msg_1", "{}")
                for port in (server.server_port, free_port())
            ]
            answers.append(Postman([], timeout=1).post("http://127.0.0.1:1/", "whsec_xxxx", "msg_1", "{}"))
    finally:
        stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()

    assert [answer.error for answer in answers] == [
        "it did not answer in time",
        "it was not reached",
        "its host is in a private network, which FENCEPOST_WEBHOOK_NETWORKS does not name",
    ]


def test_two_senders_share_the_messages(databases: Databases, connection: psycopg.Connection) -> None:
    """What one has taken no other takes, until its time is over: then it comes again, with its id."""
    listen(databases, "http://127.0.0.1:9/")
    for _ in range(2):
        review(databases, ANN, insert_job(connection, is_prohibited=True), Verdict.OVERTURN)
    ((endpoint_id, *_),) = list_endpoints(databases.ours)

    first, second, none = (claim_due(databases.ours, endpoint_id, lease=60) for _ in range(3))
    connection.execute(
        "UPDATE webhook_deliveries SET due_at = now() WHERE attempts = 1 AND message_id = %s",
        [first and first.message_id],
    )
    again = claim_due(databases.ours, endpoint_id, lease=60)

    assert first is not None
    assert second is not None
    assert again is not None
    assert none is None
    assert first.message_id != second.message_id
    assert (again.message_id, again.body, again.attempts) == (first.message_id, first.body, 2)


def test_the_command_sends_what_waits(
    databases: Databases, connection: psycopg.Connection, receiver: Receiver, run_core: RunCore
) -> None:
    """`webhooks deliver --once` sends what is due, says how much, and ends."""
    listen(databases, receiver.url)
    review(databases, ANN, insert_job(connection, is_prohibited=True), Verdict.OVERTURN)

    done = run_core("webhooks", "deliver", "--once", FENCEPOST_WEBHOOK_NETWORKS="127.0.0.0/8")

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr == b"1 delivered, 0 to be tried again, 0 given up.\n"
    assert len(receiver.heard) == 1


def test_nothing_is_lost_under_sigkill(
    databases: Databases,
    connection: psycopg.Connection,
    database_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Sender and receiver are killed again and again: every message arrives, and what repeats has the same id."""
    number = int(request.config.getoption("--webhooks"))
    port, noted, chance = free_port(), tmp_path / "heard", random.Random(1)
    listen(databases, f"http://127.0.0.1:{port}/")
    ((endpoint_id, *_),) = list_endpoints(databases.ours)
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, message_id, event, body)"
        " SELECT %s, 'msg_' || n, 'review.overturned', '{}' FROM generate_series(1, %s) AS n",
        (endpoint_id, number),
    )
    environment = os.environ | {"DATABASE_URL": database_url, "FENCEPOST_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    environment["FENCEPOST_WEBHOOK_TIMEOUT"] = "1"
    commands = {
        "sender": ["core", "webhooks", "deliver"],
        "receiver": ["tests.support.webhook_receiver", str(port), str(noted)],
    }

    def start(name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", *commands[name]], cwd=ROOT, env=environment)

    def heard() -> list[str]:
        return [line.split()[0] for line in noted.read_text().splitlines()] if noted.exists() else []

    def has_come(more: int) -> bool:
        let_time_pass(connection)
        return len(set(heard())) >= min(number, more)

    # Hundreds of messages lie between two kills of the longer run, and a busy machine sends ten in a second.
    kills, patience = (3, PATIENCE) if number < 1_000 else (30, 600)
    running = {name: start(name) for name in commands}
    try:
        for step in range(1, kills + 1):
            some = step * number // (kills + 1) + chance.randrange(number // (3 * kills + 3))
            wait_for(partial(has_come, some), "some of the messages", patience=patience)
            victim = ("sender", "receiver")[step % 2]
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            running[victim] = start(victim)
        wait_for(lambda: has_come(number), "all messages", patience=patience)
        left = "SELECT count(*) FROM webhook_deliveries WHERE delivered_at IS NULL"

        def is_noted() -> bool:
            let_time_pass(connection)
            return connection.execute(left).fetchone() == (0,)

        wait_for(is_noted, "the note that all have arrived")
    finally:
        for process in running.values():
            process.kill()
            process.wait()

    assert set(heard()) == {f"msg_{each}" for each in range(1, number + 1)}
    assert all(process.returncode is not None for process in running.values())
    print(f"{number} webhooks, {kills} kills, {len(heard()) - number} came twice")  # noqa: T201
