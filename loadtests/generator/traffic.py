"""Who sends: the traffic of one run of a scenario, each of whose sources is one of locust's users.

Requests are sent with the standard library's client, each on a connection of its own. Clients that keep connections
send a request again, by themselves, when the one that they kept has been closed meanwhile: the target would see it
twice, and nobody could say whose doing that was. And a client that leaves has to take its connection with it.
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

from loadtests.clients import Address
from loadtests.records import Outcome, RecordError, Recording, Sent
from loadtests.scenarios import Scenario, Sizing, Stream

_FEWER = "give fewer --slots or a longer --service-seconds"
_HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
# What fails for want of something on this machine, whatever the gateway does.
_RUN_OUT = {
    errno.EMFILE: "this process may open no more files for clients: give fewer --slots, or raise ulimit -n",
    errno.ENFILE: f"this machine has no more files for clients: {_FEWER}",
    errno.EADDRNOTAVAIL: f"this machine has no more ports for clients: {_FEWER}",
    errno.ENOBUFS: f"this machine has no more network buffers for clients: {_FEWER}",
    errno.ENOMEM: f"this machine has no more memory for clients: {_FEWER}",
}


class Traffic:
    """One run of a scenario: when it sends, what is under way, and what has been sent.

    `trouble` says in one line why this run says nothing of the gateway: the machine or the file for the records has
    failed; None: they have not. `is_interrupted` is for who stops the run to set: its clients have left, then.

    `urls` are base URLs of gateways that stand before one queue, and are taken in turn. `report` is locust's event for
    a request that has ended. Raises ValueError for what is no base URL.
    """

    def __init__(self, scenario: Scenario, sizing: Sizing, urls: Sequence[str], report: Callable[..., None]) -> None:
        self.scenario = scenario
        self.sizing = sizing
        self.sent: list[Sent] = []
        self.recording: Recording | None = None
        self.trouble: str | None = None
        self.is_interrupted = False
        self._addresses = itertools.cycle([Address.of(url) for url in urls])
        self._report = report
        self._sources = iter(scenario.sources)
        self._numbers = {stream.name: itertools.count(1) for stream in scenario.streams}
        self._leaving = {stream.name: self.make_random(stream, "leaving") for stream in scenario.streams}
        self._unfinished_sources = len(scenario.sources)
        self._started_at: float | None = None

    def start(self) -> None:
        """Let the time of this run begin."""
        self._started_at = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        """The time since the start; 0 before it."""
        return 0.0 if self._started_at is None else time.monotonic() - self._started_at

    @property
    def is_sending(self) -> bool:
        """Whether it is time to send."""
        return self._started_at is not None and self.elapsed_seconds < self.sizing.seconds

    @property
    def is_past_grace(self) -> bool:
        """Whether what is still not answered has had all the time that it gets."""
        return self.elapsed_seconds >= self.sizing.seconds + self.sizing.grace_seconds

    @property
    def is_over(self) -> bool:
        """Whether each source has sent all and has its answers, had all the time for that, or there is trouble."""
        return self._unfinished_sources == 0 or self.is_past_grace or self.trouble is not None

    def take_source(self) -> Stream:
        """Give the stream of the next source of the scenario.

        Each is taken once; raises StopUser if none is left, because somebody has asked locust for more users.
        """
        for stream in self._sources:
            return stream
        raise StopUser

    def finish_source(self) -> None:
        """Take note that a source has sent all that it had to send, and that it has its answers."""
        self._unfinished_sources -= 1

    def make_random(self, stream: Stream, purpose: str) -> Random:
        """Give a generator that the seed alone decides, and that no other stream or purpose draws from."""
        return Random(f"{self.sizing.seed} {stream.name} {purpose}")

    def send(self, stream: Stream) -> Outcome:
        """Send one request, wait for its response, and keep what became of it."""
        address = next(self._addresses)
        path = address.base_path + self.sizing.path_of(stream.priority)
        request_id = f"{stream.priority}-{uuid.uuid4().hex}"
        more_fields = _HANDSHAKE if self._is_handshake(stream) else {}
        outcome: Outcome = "failed"
        status: int | None = None
        is_connected = False
        sent_at = time.time()
        try:
            with self._client_of(stream), closing(address.make_connection()) as connection:
                connection.connect()
                is_connected = True
                sent_at = time.time()
                status, length_bytes = _exchange(connection, stream, path, request_id, more_fields)
            outcome = "answered"
            self._tell_locust(stream, sent_at, length_bytes, f"status {status}" if status >= 400 else None)
        except gevent.Timeout:
            outcome = "left"
        except gevent.GreenletExit:
            outcome = self._end_without_response(stream, sent_at)
            raise
        except (OSError, HTTPException) as error:
            self.trouble = self.trouble or _lack_of(error)
            self._tell_locust(stream, sent_at, 0, f"{type(error).__name__}: {error}")
        except Exception as error:
            self.trouble = f"the load generator itself failed: {error!r}"
            raise
        finally:
            # Who left while it was still connecting has asked for nothing.
            if is_connected or outcome != "left":
                self._keep(Sent(request_id, stream.priority, sent_at, time.time(), outcome, status, stream.method))
        return outcome

    def _is_handshake(self, stream: Stream) -> bool:
        number = next(self._numbers[stream.name])
        return stream.handshake_every > 0 and number % stream.handshake_every == 0

    def _client_of(self, stream: Stream) -> gevent.Timeout:
        """Give the patience of one client: entered, it raises gevent.Timeout when the client leaves."""
        return gevent.Timeout(stream.leaving.draw(self._leaving[stream.name]) if stream.leaving else None)

    def _end_without_response(self, stream: Stream, sent_at: float) -> Outcome:
        """Say what became of a request whose client is stopped: by the person, or because the grace is over."""
        if self.is_interrupted:
            return "left"
        self._tell_locust(stream, sent_at, 0, "no response")
        return "failed"

    def _keep(self, sent: Sent) -> None:
        self.sent.append(sent)
        try:
            if self.recording is not None:
                self.recording.append(sent)
        except RecordError as error:
            self.trouble = str(error)

    def _tell_locust(self, stream: Stream, sent_at: float, length_bytes: int, failure: str | None) -> None:
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
    connection: HTTPConnection, stream: Stream, path: str, request_id: str, more_fields: Mapping[str, str]
) -> tuple[int, int]:
    """Give the status of the response, and the length of its body in bytes."""
    fields = {"X-Request-ID": request_id, "X-Mock-Latency": stream.latency, "Connection": "close"}
    connection.request(stream.method, path, headers={**fields, **dict(stream.fields), **more_fields})
    with connection.getresponse() as response:
        # What follows a 101 is a WebSocket, and nothing is asked of that.
        is_switch = response.status == HTTPStatus.SWITCHING_PROTOCOLS
        return response.status, 0 if is_switch else len(response.read())


def _lack_of(error: Exception) -> str | None:
    """Say what this machine has run out of; None: it is not that."""
    return _RUN_OUT.get(error.errno or 0) if isinstance(error, OSError) else None
