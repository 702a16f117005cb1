"""Follows single requests through queue and pass-through on an idle stack, by the clocks of all who see them."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from urllib.parse import urlsplit

from benchmarks.endpoints.traced_target import ANSWERED, ARRIVED
from benchmarks.observation.request_stages import (
    PASSED_STAGES,
    QUEUED_STAGES,
    Trip,
    median_stages,
    passed_stages,
    queued_stages,
    read_moments,
)
from benchmarks.performance.recording import tell
from benchmarks.performance.sizes import Sizes
from benchmarks.results.findings import Report, short, table
from benchmarks.systems.contenders import measuring
from benchmarks.systems.paths import PLAIN, QUEUE, path_of
from benchmarks.systems.stack import running_ours
from fast_priority.free_ports import free_port
from fast_priority.stack import Part, running, wait_until_answers

_WARM_UP = 50
_SILENCE_SECONDS = 0.3
_BODY_BYTES = 10


def measure_request(sizes: Sizes) -> Report:
    """Ask one after the other, and give the median of each stage of the way."""
    report = Report("request")
    with (
        measuring() as output,
        running_traced_target(output) as target_url,
        running_ours(target_url, output, 16) as stack,
    ):
        where = urlsplit(stack.urls[0])
        address = (where.hostname or "", where.port or 80)
        _ask_often(address, path_of(QUEUE, "low", 0), _WARM_UP)
        _ask_often(address, path_of(PLAIN, "low", 0), _WARM_UP)
        passed = [passed_stages(trip) for trip in _ask_often(address, path_of(PLAIN, "low", 0), sizes.traced)]
        with _monitoring(stack.redis_socket) as monitored:
            trips = _ask_often(address, path_of(QUEUE, "low", 0), sizes.traced)
        moments = read_moments("".join(monitored))
    queued = [seen for trip in trips if (seen := queued_stages(trip, moments)) is not None]
    if len(queued) < len(trips) / 2:
        report.errors.append(f"request: only {len(queued)} of {len(trips)} queued requests were seen in Redis")
        return report
    for way, names, stages in (("pass-through", PASSED_STAGES, passed), ("queue", QUEUED_STAGES, queued)):
        medians = median_stages(stages)
        of_stage = dict(zip(names, medians, strict=True))
        report.raw.append({"part": "request", "way": way, "stages": of_stage, "requests": len(stages)})
        rows = [[name, short(value)] for name, value in of_stage.items()]
        rows.append(["together", short(sum(medians))])
        report.tables[f"request-{way}"] = table((f"{way}, one connection: median of {len(stages)}", "µs"), rows)
        tell(f"request: {way}: {sum(medians):.0f} µs")
    return report


@contextmanager
def running_traced_target(output: IO[bytes]) -> Iterator[str]:
    """Run the target that says when it was asked; give its URL."""
    port = free_port()
    with running(Part("target", ("-m", "benchmarks.endpoints.traced_target", str(port)), {}), output) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_answers(process, "target", url)
        yield url


@contextmanager
def _monitoring(redis_socket: str) -> Iterator[list[str]]:
    """Have Redis write down all it does while the block lasts; the list has it then.

    Nobody reads it meanwhile, so that nobody but Redis has work with it.
    """
    monitored: list[str] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(redis_socket)
        connection.sendall(b"MONITOR\r\n")
        connection.recv(5)
        yield monitored
        connection.settimeout(_SILENCE_SECONDS)
        ends, pieces = time.monotonic() + 10, []
        try:
            while time.monotonic() < ends and (data := connection.recv(1024 * 1024)):
                pieces.append(data)
        except TimeoutError:
            pass
        monitored.append(b"".join(pieces).decode(errors="replace"))


def _ask_often(address: tuple[str, int], path: str, times: int) -> list[Trip]:
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    with socket.create_connection(address, timeout=30) as connection:
        return [_ask(connection, request) for _ in range(times)]


def _ask(connection: socket.socket, request: bytes) -> Trip:
    sent = time.time()
    connection.sendall(request)
    said = b""
    while len(said.partition(b"\r\n\r\n")[2]) < _BODY_BYTES:
        if not (data := connection.recv(65536)):
            raise ConnectionError(f"the connection ended: {said[:200]!r}")
        said += data
    received = time.time()
    head = said.partition(b"\r\n\r\n")[0].decode(errors="replace")
    fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    return Trip(sent, float(fields[ARRIVED]), float(fields[ANSWERED]), received)
