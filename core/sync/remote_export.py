"""The export of another server over HTTP: asked for politely, and believed only where its end has come."""

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

import httpx
from pydantic import SecretStr

from core.errors import InvalidSetting, NotPossible, ServerFailed
from core.export.verification import Inspector
from core.instants import print_instant
from core.intake.gzip_blocks import CutGzip, unpack
from core.jobs.filter import DateRange
from core.stall_watch import StallWatch
from core.sync.response_headers import find_date, find_number, find_wait

# Seconds.
CONNECT_TIMEOUT = 10

_UNREACHABLE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)


class TooLarge(Exception):
    """The body of a range is larger than it may be: ask for a shorter one."""


class RemoteExport:
    """The endpoint of another server, with a key for it, which nothing but the request's header ever holds."""

    def __init__(self, url: httpx.URL, key: SecretStr | None, *, client_id: str | None, timeout: float) -> None:
        """Speak to `url`; `client_id` is for keys that see the jobs of several clients.

        `timeout`: seconds that the server may be silent. Raises `InvalidSetting`.
        """
        if key is None:
            raise InvalidSetting("FENCEPOST_SYNC_KEY is not set: let it hold the other server's API key.")
        if re.fullmatch(r"[!-~]+", key.get_secret_value().strip()) is None:
            raise InvalidSetting("FENCEPOST_SYNC_KEY is no API key: it holds what no header can carry. Correct it.")
        self.url = str(url)
        self.host = url.netloc.decode()
        self.client_id = client_id
        self.has_answered = False
        self._timeout = timeout
        try:
            self._client = httpx.Client(
                headers={
                    "Authorization": f"Bearer {key.get_secret_value().strip()}",
                    "Accept": "text/csv",
                    "Accept-Encoding": "identity",
                    # Tells a whole body from one that something on the way has cut and then ended politely.
                    "Prefer": "count=exact",
                    "User-Agent": "fencepost",
                },
                timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
                # A connection for each request, which the watch over that one may end.
                limits=httpx.Limits(max_keepalive_connections=0),
                # The key may pass a proxy only within TLS.
                trust_env=url.scheme == "https",
                follow_redirects=False,
            )
        except (OSError, ValueError, ImportError, httpx.InvalidURL):
            raise InvalidSetting("HTTPS_PROXY or SSL_CERT_FILE cannot be used: correct or unset it.") from None

    def close(self) -> None:
        self._client.close()

    def fetch(self, bounds: DateRange, file: BinaryIO, *, largest: int, advance: Callable[[int], None]) -> datetime:
        """Write a whole export of the range to a file, and return the instant as of which it is complete.

        `advance` hears how many more bytes of text there are. Raises `ServerFailed` where the server may do better
        later, `NotPossible` where it will not, `TooLarge` beyond `largest` bytes of text, however few they were
        packed to, and the `OSError` of the file.
        """
        params = {"from": print_instant(bounds.start), "to": print_instant(bounds.end)}
        if self.client_id is not None:
            params["client_id"] = self.client_id
        as_of, inspector = datetime.now(UTC), Inspector()
        with (
            StallWatch(self._timeout) as watch,
            self._translated_errors(watch),
            self._client.stream("GET", self.url, params=params, extensions={"trace": watch.notice}) as response,
        ):
            self.has_answered = True
            watch.extend()
            self._check(response)
            size = 0
            for block in self._read_body(response, watch):
                size += len(block)
                if size > largest:
                    raise TooLarge
                file.write(block)
                inspector.take(block)
                advance(len(block))
        found = inspector.inspection()
        total = find_number(response.headers, "x-total-count")
        if not found.is_closed:
            raise ServerFailed(
                f"{self.host} sent an export that ends within a record: it was cut, or has a quote that is not "
                "doubled.",
                asks_too_much=True,
            )
        if total not in (None, found.records):
            raise ServerFailed(f"{self.host} cut its export.", asks_too_much=True)
        # Where clocks differ, the earlier one leaves nothing out.
        return min(as_of, find_date(response.headers, "date") or as_of)

    def _read_body(self, response: httpx.Response, watch: StallWatch) -> Iterator[bytes]:
        """Yield the body, unpacked where something on the way has packed it although that was not asked for.

        httpx would unpack each layer of any encoding as a whole, to whatever size; here it is one layer, block by
        block.
        """

        def receive() -> Iterator[bytes]:
            for block in response.iter_raw():
                watch.take(len(block))
                yield block

        match response.headers.get("content-encoding", "").strip().lower():
            case "" | "identity":
                yield from receive()
            case "gzip" | "x-gzip":
                try:
                    yield from unpack(receive())
                except CutGzip:
                    raise ServerFailed(f"{self.host} cut its export.", asks_too_much=True) from None
            case _:
                raise NotPossible(
                    f"{self.host} packs its exports in a way that was not asked for: let nothing in front of it add a "
                    "Content-Encoding, or gzip alone."
                )

    def _check(self, response: httpx.Response) -> None:
        """Raise what a response is that is no export."""
        status, headers = response.status_code, response.headers
        match status:
            case 200:
                self._check_form(headers)
            case 401:
                raise NotPossible(f"{self.host} does not accept the key: correct FENCEPOST_SYNC_KEY.")
            case 403:
                raise NotPossible(
                    f"{self.host} refuses this key the jobs: give it the scope job:read there, and let --remote-client "
                    "name no client but its own."
                )
            case 404 | 405 | 410:
                raise NotPossible(f"{self.host} has no export of jobs at this address: correct --url.")
            case 429:
                raise ServerFailed(f"{self.host} asks for patience (429).", retry_after=find_wait(headers))
            case _ if status >= 500 or status in (408, 425):
                raise ServerFailed(
                    f"{self.host} failed ({status}).", retry_after=find_wait(headers), asks_too_much=True
                )
            case _ if response.has_redirect_location:
                raise NotPossible(
                    f"{self.host} sends on to another address, where the key is not taken: let --url be that address, "
                    "if you trust it."
                )
            case _:
                raise NotPossible(
                    f"{self.host} refuses the request ({status}): check that --url is an export of jobs, and "
                    "--remote-client one of its clients."
                )

    def _check_form(self, headers: httpx.Headers) -> None:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/csv":
            page = "a page" if kind == "text/html" else "something else"
            raise NotPossible(f"{self.host} answers with {page} instead of CSV: correct --url.")
        has_end = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
        if not has_end and "x-total-count" not in headers:
            raise NotPossible(
                f"{self.host} does not tell where its exports end, so a cut one would look whole: let what is in front "
                "of it speak HTTP/1.1."
            )

    @contextmanager
    def _translated_errors(self, watch: StallWatch) -> Iterator[None]:
        """Turn errors of the wire into ours, without what they quote."""
        try:
            yield
        except httpx.RequestError as error:
            raise self._explain(error, watch) from None

    def _explain(self, error: httpx.RequestError, watch: StallWatch) -> ServerFailed:
        """Say what an error of the wire means."""
        match error:
            case _ if watch.has_ended:
                return self._explain_silence()
            case httpx.ConnectError() | httpx.ConnectTimeout():
                return self._explain_connection(error)
            case httpx.ProxyError():
                return ServerFailed(
                    f"The proxy refuses the way to {self.host}: correct HTTPS_PROXY or NO_PROXY.", is_dead=True
                )
            case httpx.TimeoutException():
                return self._explain_silence()
            case _:
                return ServerFailed(f"{self.host} cut the connection.", asks_too_much=True)

    def _explain_silence(self) -> ServerFailed:
        return ServerFailed(f"{self.host} sent next to nothing for {self._timeout:g} s.", asks_too_much=True)

    def _explain_connection(self, error: BaseException) -> ServerFailed:
        """Say why a server was not reached; the reason is at the end of a chain of exceptions."""
        reason: BaseException | None = error
        while reason is not None:
            match reason:
                case ssl.SSLCertVerificationError():
                    return ServerFailed(
                        f"{self.host} does not prove that it is itself: correct --url, or let SSL_CERT_FILE name the "
                        "authorities that you trust.",
                        is_dead=True,
                    )
                case ssl.SSLEOFError():
                    break
                case ssl.SSLError():
                    return ServerFailed(f"{self.host} does not speak TLS as it should: correct --url.", is_dead=True)
                case socket.gaierror():
                    return ServerFailed(f"{self.host} has no address: correct --url.", is_dead=True)
                case httpx.ConnectTimeout() | TimeoutError():
                    return ServerFailed(f"{self.host} does not answer: start it, or correct --url.", is_dead=True)
                case OSError() if reason.errno in _UNREACHABLE:
                    return ServerFailed(f"{self.host} is not reached: start it, or correct --url.", is_dead=True)
            reason = reason.__cause__ or reason.__context__
        return ServerFailed(f"{self.host} cut the connection.")
