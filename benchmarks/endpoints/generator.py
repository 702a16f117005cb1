"""A closed-loop HTTP load generator: each connection sends its next GET when the last response is complete.

It runs as a process of its own and prints one line of JSON, a Sample. It speaks HTTP with httptools on plain asyncio
transports: a full client uses more CPU per request than the target, so it would be what is measured.
"""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

_GRACE_SECONDS = 30.0  # for requests in flight when the window closes; one that takes longer counts as an error
_RECONNECT_SECONDS = 0.05
_OK = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """Results of one run. The latencies are NaN if no request began in the window and succeeded."""

    completed_per_second: float
    median_ms: float
    p99_ms: float
    """The slowest request if there were fewer than 100."""
    latencies: int
    errors: int
    first_error: str
    generator_cpu: float
    """Share of one core that the generator used, from 0 to 1."""


class _Connection(asyncio.Protocol):
    """One kept-alive connection with one request in flight at most. asyncio and the parser call its methods."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status: asyncio.Future[int] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self.is_open = False

    def send(self, request: bytes) -> "asyncio.Future[int]":
        """Send a request and return a future of its status, set when the body is complete."""
        assert self._transport is not None
        self._status = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._status

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all these methods, but are not instances of asyncio's classes.
        self._transport, self.is_open = cast(asyncio.WriteTransport, transport), True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"not an HTTP response: {error}"))

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.close()
        if self._status is not None and not self._status.done():
            self._status.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionError("the connection was closed before a response was complete"))

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._status is not None and not self._status.done():
            self._status.set_exception(error)


@dataclass
class Load:
    """One run: GETs of `url` over some connections, counted for `seconds` after `warm_up_seconds`."""

    url: str
    connections: int
    seconds: float
    warm_up_seconds: float
    _latencies: list[float] = field(default_factory=list)
    _completed: int = 0
    _errors: list[str] = field(default_factory=list)
    _opens: float = 0.0
    _closes: float = 0.0

    async def run(self) -> Sample:
        """Send the load and return its results."""
        self._opens = time.perf_counter() + self.warm_up_seconds
        self._closes = self._opens + self.seconds
        cpu_began, began = time.process_time(), time.perf_counter()
        clients = [asyncio.create_task(self._run_client()) for _ in range(self.connections)]
        ended, hanging = await asyncio.wait(clients, timeout=self.warm_up_seconds + self.seconds + _GRACE_SECONDS)
        self._errors += [f"no response within {_GRACE_SECONDS:g} s"] * len(hanging)
        cpu = (time.process_time() - cpu_began) / (time.perf_counter() - began)
        for client in ended:
            client.result()  # raises any unexpected exception
        for client in hanging:
            client.cancel()
        ordered = sorted(self._latencies)
        return Sample(
            completed_per_second=self._completed / self.seconds,
            median_ms=_percentile(ordered, 0.5) * 1000,
            p99_ms=_percentile(ordered, 0.99) * 1000,
            latencies=len(ordered),
            errors=len(self._errors),
            first_error=self._errors[0] if self._errors else "",
            generator_cpu=cpu,
        )

    async def _run_client(self) -> None:
        parts = urlsplit(self.url)
        request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode()
        host, port = parts.hostname or "", parts.port or 80
        connection = _Connection()
        while (began := time.perf_counter()) < self._closes:
            try:
                if not connection.is_open:
                    _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, port)
                status = await connection.send(request)
            except OSError as error:
                self._errors.append(str(error))
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                self._record(status, began, time.perf_counter())
        connection.close()

    def _record(self, status: int, began: float, ended: float) -> None:
        if status != _OK:
            self._errors.append(f"status {status}")
            return
        if began >= self._opens:
            self._latencies.append(ended - began)
        if self._opens <= ended < self._closes:
            self._completed += 1


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else math.nan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one load and print its Sample as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks generator", description=__doc__)
    parser.add_argument("url", help="what each connection requests, such as http://127.0.0.1:8000/path")
    parser.add_argument("--connections", type=int, default=1, help="clients, each on its connection [%(default)s]")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the measured window [%(default)s]")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds of load before the window [%(default)s]")
    options = parser.parse_args(arguments)
    sample = uvloop.run(Load(options.url, options.connections, options.seconds, options.warm_up).run())
    print(json.dumps(asdict(sample)))
    return 0
