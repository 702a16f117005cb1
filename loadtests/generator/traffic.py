"""The traffic of one run of a scenario.

Requests are sent with the standard library's client, each on a new connection. Clients that keep connections alive
retry a request on their own when the connection has been closed meanwhile: the target would receive it twice, and it
would not be known whether the client or the gateway sent it again. And a client that leaves must close its connection.
"""

import errno
import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from random import Random

import gevent  # type: ignore[import-untyped]
from locust.exception import CatchResponseError, StopUser

from loadtests.clients import BaseUrl
from loadtests.records import Outcome, RecordError, RecordWriter, SentRequest
from loadtests.scenarios import RequestStream, Scenario, Sizing

_FEWER = "use fewer --slots or a longer --service-seconds"
_HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
# Errors for which this machine lacks a resource, independent of the gateway.
_MISSING_RESOURCES = {
    errno.EMFILE: "this process may open no more files for clients: use fewer --slots, or raise ulimit -n",
    errno.ENFILE: f"this machine has no more files for clients: {_FEWER}",
    errno.EADDRNOTAVAIL: f"this machine has no more ports for clients: {_FEWER}",
    errno.ENOBUFS: f"this machine has no more network buffers for clients: {_FEWER}",
    errno.ENOMEM: f"this machine has no more memory for clients: {_FEWER}",
}


class Traffic:
    """One run of a scenario: when it sends, what is in progress, and what has been sent.

    `abort_reason` says in one line why this run shows nothing about the gateway: the machine or the record file has
    failed; None: neither has. `is_interrupted` is set by the code that stops the run: then its clients have left.

    `urls` are base URLs of gateways that share one queue, used in turn. `report` is locust's event for a finished
    request. Raises ValueError for an invalid base URL.
    """

    def __init__(self, scenario: Scenario, sizing: Sizing, urls: Sequence[str], report: Callable[..., None]) -> None:
        self.scenario = scenario
        self.sizing = sizing
        self.sent: list[SentRequest] = []
        self.record_writer: RecordWriter | None = None
        self.abort_reason: str | None = None
        self.is_interrupted = False
        self._base_urls = itertools.cycle([BaseUrl.parse(url) for url in urls])
        self._report = report
        self._sources = iter(scenario.sources)
        self._numbers = {stream.name: itertools.count(1) for stream in scenario.streams}
        self._leaving = {stream.name: self.make_random(stream, "leaving") for stream in scenario.streams}
        self._unfinished_sources = len(scenario.sources)
        self._started_at: float | None = None

    def start(self) -> None:
        """Start the time of this run."""
        self._started_at = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        """The time since the start; 0 before it."""
        return 0.0 if self._started_at is None else time.monotonic() - self._started_at

    @property
    def is_sending(self) -> bool:
        """Whether requests are to be sent now."""
        return self._started_at is not None and self.elapsed_seconds < self.sizing.seconds

    @property
    def is_past_grace(self) -> bool:
        """Whether the time to wait for the last responses is over."""
        return self.elapsed_seconds >= self.sizing.seconds + self.sizing.grace_seconds

    @property
    def is_over(self) -> bool:
        """Whether all sources are finished, the time to wait is over, or the run is aborted."""
        return self._unfinished_sources == 0 or self.is_past_grace or self.abort_reason is not None

    def take_source(self) -> RequestStream:
        """Return the stream of the next source of the scenario.

        Each is returned once; raises StopUser if none is left, because locust was started with more users.
        """
        for stream in self._sources:
            return stream
        raise StopUser

    def finish_source(self) -> None:
        """Record that a source has sent all its requests and that they are finished."""
        self._unfinished_sources -= 1

    def make_random(self, stream: RequestStream, purpose: str) -> Random:
        """Return a random generator that depends only on the seed, the stream and the purpose."""
        return Random(f"{self.sizing.seed} {stream.name} {purpose}")

    def send(self, stream: RequestStream) -> Outcome:
        """Send one request, wait for its response, and record the outcome."""
        base_url = next(self._base_urls)
        path = base_url.base_path + self.sizing.path_of(stream.priority)
        request_id = f"{stream.priority}-{uuid.uuid4().hex}"
        more_fields = _HANDSHAKE if self._is_handshake(stream) else {}
        outcome: Outcome = "failed"
        status: int | None = None
        is_connected = False
        sent_at = time.time()
        left_at: float | None = None
        try:
            with self._client_timeout(stream), closing(base_url.make_connection()) as connection:
                try:
                    connection.connect()
                    is_connected = True
                    sent_at = time.time()
                    status, length_bytes = _exchange(connection, stream, path, request_id, more_fields)
                except gevent.Timeout:
                    # Before the connection is closed: the gateway may reuse the slot before this process runs again.
                    left_at = time.time()
                    raise
            outcome = "answered"
            self._report_to_locust(stream, sent_at, length_bytes, f"status {status}" if status >= 400 else None)
        except gevent.Timeout:
            outcome = "left"
        except gevent.GreenletExit:
            outcome = self._end_without_response(stream, sent_at)
            raise
        except KeyboardInterrupt:  # Ctrl-C came while this request's code ran: Python raises it right here
            outcome = "left"
            raise
        except (OSError, HTTPException) as error:
            self.abort_reason = self.abort_reason or _missing_resource(error)
            self._report_to_locust(stream, sent_at, 0, f"{type(error).__name__}: {error}")
        except Exception as error:
            self.abort_reason = f"the load generator itself failed: {error!r}"
            raise
        finally:
            # A client that left while connecting has sent nothing.
            if is_connected or outcome != "left":
                ended_at = time.time() if left_at is None else left_at
                self._record(
                    SentRequest(request_id, stream.priority, sent_at, ended_at, outcome, status, stream.method)
                )
        return outcome

    def _is_handshake(self, stream: RequestStream) -> bool:
        number = next(self._numbers[stream.name])
        return stream.handshake_every > 0 and number % stream.handshake_every == 0

    def _client_timeout(self, stream: RequestStream) -> gevent.Timeout:
        """Return the timeout of one client: as a context it raises gevent.Timeout when the client leaves."""
        return gevent.Timeout(stream.abandonment.draw(self._leaving[stream.name]) if stream.abandonment else None)

    def _end_without_response(self, stream: RequestStream, sent_at: float) -> Outcome:
        """Return the outcome of a request whose client is stopped: by the user, or because the time to wait is over."""
        if self.is_interrupted:
            return "left"
        self._report_to_locust(stream, sent_at, 0, "no response")
        return "failed"

    def _record(self, sent: SentRequest) -> None:
        self.sent.append(sent)
        try:
            if self.record_writer is not None:
                self.record_writer.append(sent)
        except RecordError as error:
            self.abort_reason = str(error)

    def _report_to_locust(self, stream: RequestStream, sent_at: float, length_bytes: int, failure: str | None) -> None:
        self._report(
            request_type=stream.method,
            name=stream.priority,
            response_time=(time.time() - sent_at) * 1000,
            response_length=length_bytes,
            response=None,
            exception=None if failure is None else CatchResponseError(failure),
            context={},
            start_time=sent_at,
        )


def _exchange(
    connection: HTTPConnection, stream: RequestStream, path: str, request_id: str, more_fields: Mapping[str, str]
) -> tuple[int, int]:
    """Return the status of the response, and the length of its body in bytes."""
    fields = {"X-Request-ID": request_id, "X-Mock-Latency": stream.latency, "Connection": "close"}
    connection.request(stream.method, path, headers={**fields, **dict(stream.fields), **more_fields})
    with connection.getresponse() as response:
        # After a 101 the connection is a WebSocket, which is not used.
        is_switch = response.status == HTTPStatus.SWITCHING_PROTOCOLS
        return response.status, 0 if is_switch else len(response.read())


def _missing_resource(error: Exception) -> str | None:
    """Return which resource this machine lacks, or None for another error."""
    return _MISSING_RESOURCES.get(error.errno or 0) if isinstance(error, OSError) else None
