"""One attempt to tell an endpoint something: signed as Standard Webhooks has it (https://www.standardwebhooks.com)."""

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

import httpx
from standardwebhooks import Webhook

from core.errors import NotPossible
from core.program import VERSION
from core.stall_watch import StallWatch
from core.webhooks.answer import Answer
from core.webhooks.target import Target, parse_target, resolve

# Bytes of an answer that are looked at: its status says all that counts.
MOST_BODY = 16_384


class Postman:
    """Sends messages, each on a connection of its own, which goes to the very address that was looked at before."""

    def __init__(self, networks: Sequence[str], *, timeout: float) -> None:
        """Speak to the world and to `networks`; an attempt has `timeout` seconds to connect, and as many to answer."""
        self._networks = networks
        self._timeout = timeout
        # No proxy: what it would reach is not what was looked at here.
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=timeout / 2),
            transport=httpx.HTTPTransport(
                verify=httpx.create_ssl_context(),
                # A connection for each attempt, which the watch over that one may end.
                limits=httpx.Limits(max_keepalive_connections=0),
                trust_env=False,
            ),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, url: str, secret: str, message_id: str, body: str) -> Answer:
        """Send a message once. Its id and body are the same each time, its time and signature are of now."""
        try:
            target = resolve(parse_target(url), self._networks)
        except NotPossible as error:
            return Answer(None, str(error))
        now = datetime.now(UTC)
        headers = {
            "Host": target.url.netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": f"fencepost/{VERSION}",
            "Accept-Encoding": "identity",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, now, body),
        }
        answer = Answer(None, "its host has no address")
        for address in target.addresses:
            answer, was_reached = self._ask(target, address, headers, body)
            if was_reached:
                break
        return answer

    def _ask(self, target: Target, address: str, headers: dict[str, str], body: str) -> tuple[Answer, bool]:
        """Send to one address of a host; tell also whether it was reached."""
        with StallWatch(self._timeout) as watch:
            try:
                # The certificate is to be the host's, whatever its number.
                extensions = {"sni_hostname": target.url.host, "trace": watch.notice}
                url = target.url.copy_with(host=address)
                with self._client.stream(
                    "POST", url, headers=headers, content=body.encode(), extensions=extensions
                ) as response:
                    size = 0
                    for block in response.iter_raw():
                        size += len(block)
                        if size > MOST_BODY:
                            break
                    return _judge(response), True
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                return Answer(None, _explain(error)), False
            except httpx.HTTPError as error:
                is_late = watch.has_ended or isinstance(error, httpx.TimeoutException)
                return Answer(None, "it did not answer in time" if is_late else "it cut the connection"), True


def _judge(response: httpx.Response) -> Answer:
    if response.is_success:
        return Answer(response.status_code)
    if response.is_redirect:
        return Answer(response.status_code, "it sends on to another address, which is not followed")
    given = response.headers.get("retry-after", "")
    return Answer(response.status_code, "it refused the message", float(given) if given.isdecimal() else 0)


def _explain(error: BaseException) -> str:
    """Say why a host was not reached; the reason is at the end of a chain of exceptions."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return "it does not prove that it is itself"
        if isinstance(reason, ssl.SSLError):
            return "it does not speak TLS as it should"
        if isinstance(reason, TimeoutError | httpx.ConnectTimeout | socket.timeout):
            return "it did not answer in time"
        reason = reason.__cause__ or reason.__context__
    return "it was not reached"
