"""Part `peers`: the same chat completion through other gateways, one at a time and sixteen at once."""

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import IO
from urllib.parse import urlsplit

from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Spread, format_milliseconds, markdown_table, rotate
from benchmarks.support import captured_output, has_haproxy, log_progress
from benchmarks.systems import (
    DIRECT,
    HAPROXY,
    NGINX,
    PASS_THROUGH,
    QUEUE,
    WORKERS,
    running_gateway_stack,
    running_gateways_with_slots,
    running_haproxy,
    running_nginx_proxy,
    running_nginx_target,
)
from benchmarks.systems.python_peers import MODEL, running_litellm, running_original

_SLOTS = 16
_CLIENTS = (1, 16)
_PATH = "/v1/chat/completions"
_BODY = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}]}).encode()
_TIMEOUT_SECONDS = 60.0
_OK = 200
ORIGINAL, ORIGINAL_FAST = "original fast-priority 1.x", "original fast-priority 1.x, POLL_INTERVAL 0.05"
LITELLM = "LiteLLM's proxy"


def measure_peers(size: RunSize) -> Report:
    """Send POST requests that the target answers at once, and compare medians."""
    report = Report("peers")
    medians: dict[tuple[str, int], list[float]] = {}
    with captured_output() as output, _running_ways(size, output) as ways:
        for number in range(-1, size.ways_rounds):  # round -1 is the warm-up
            for name in rotate(list(ways), number):
                for clients in _CLIENTS:
                    latencies_ms = _load(ways[name], clients, size.ways_seconds if number >= 0 else 1)
                    if number < 0:
                        continue
                    median_ms = Spread.of(latencies_ms).median
                    medians.setdefault((name, clients), []).append(median_ms)
                    figure = {"part": "peers", "way": name, "clients": clients, "round": number}
                    report.figures.append({**figure, "median_ms": median_ms, "requests": len(latencies_ms)})
                    log_progress(f"peers: {name}, {clients} at once, round {number}: median {median_ms:.2f} ms")
    rows = [
        [name, *(Spread.of(medians[name, clients]).format(format_milliseconds) for clients in _CLIENTS)]
        for name in ways
    ]
    heads = ("median of a chat completion that the target answers at once", "one at a time", "16 at once")
    report.tables["peers"] = markdown_table(heads, rows)
    return report


@contextmanager
def _running_ways(size: RunSize, output: IO[bytes]) -> Iterator[dict[str, str]]:
    """Run the ways, and yield their URLs by name; the paths of all are the same, but for our pass-through's."""
    with ExitStack() as processes:
        target = processes.enter_context(running_nginx_target(output)).url
        ways = {DIRECT: f"{target}{_PATH}"}
        url, _ = processes.enter_context(running_nginx_proxy(target, output))
        ways[NGINX] = f"{url}{_PATH}"
        if has_haproxy():
            url, _ = processes.enter_context(running_haproxy(target, _SLOTS, output))
            ways[HAPROXY] = f"{url}{_PATH}"
        slots = processes.enter_context(running_gateways_with_slots(target, output, _SLOTS)).urls[0]
        ways[PASS_THROUGH] = f"{slots}/plain{_PATH}"
        ways[QUEUE] = f"{slots}{_PATH}"
        ways[WORKERS] = f"{processes.enter_context(running_gateway_stack(target, output, _SLOTS)).urls[0]}{_PATH}"
        if size.original_python:
            for name, poll_interval in ((ORIGINAL, None), (ORIGINAL_FAST, "0.05")):
                original = running_original(size.original_python, target, _SLOTS, poll_interval, output)
                ways[name] = f"{processes.enter_context(original)}{_PATH}"
        if size.litellm_python:
            ways[LITELLM] = f"{processes.enter_context(running_litellm(size.litellm_python, target, output))}{_PATH}"
        yield ways


def _load(url: str, clients: int, seconds: float) -> list[float]:
    """Let so many clients send one request after the other for this time. Return the milliseconds of each."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        return [each for of_client in pool.map(lambda _: _send(url, until), range(clients)) for each in of_client]


def _send(url: str, until: float) -> list[float]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=_TIMEOUT_SECONDS)
    latencies_ms: list[float] = []
    try:
        while not latencies_ms or time.monotonic() < until:
            began = time.monotonic()
            connection.request("POST", address.path, _BODY, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            if response.status != _OK:
                raise OSError(f"{url} answered {response.status}")
            latencies_ms.append((time.monotonic() - began) * 1000)
    finally:
        connection.close()
    return latencies_ms
