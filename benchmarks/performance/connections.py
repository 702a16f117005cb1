"""Part `connections`: how long many new clients delay a high request that comes right behind them."""

import asyncio
import socket
import time
from statistics import median
from urllib.parse import urlsplit

from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.shapes import SHAPES
from benchmarks.results import Spread, at_most, format_milliseconds, format_ratio, markdown_table, ratios, rotate
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    DIRECT,
    HAPROXY,
    PASS_THROUGH,
    QUEUE,
    WORKERS,
    Contender,
    path_of,
    running_contenders,
)

_SLOTS, _CLIENTS, _WITHIN_SECONDS = 16, 480, 0.1
_SERVICE_MS = 10
_AFTER_SECONDS = 0.02
_TIMEOUT_SECONDS = 60.0
_CALM_REQUESTS = 9


def measure_connections(size: RunSize) -> Report:
    """Let 480 clients connect within 0.1 s, each for one low request, and send a high one right behind them."""
    report, names = Report("connections"), (DIRECT, HAPROXY, PASS_THROUGH, QUEUE, WORKERS)
    calm_ms: dict[str, list[float]] = {name: [] for name in names}
    delays_ms: dict[str, list[float]] = {name: [] for name in names}
    with captured_output() as output, running_contenders(output, _SLOTS, names) as (_, contenders):
        for number in range(-1, size.rounds):  # round -1 is the warm-up
            for name in rotate(list(contenders), number):
                calm, behind = asyncio.run(_measure(contenders[name]))
                contenders[name].wait_until_idle()
                if number < 0:
                    continue
                calm_ms[name].append(calm)
                delays_ms[name].append(behind - calm)
                figure = {"part": "connections", "way": name, "round": number}
                report.figures.append({**figure, "calm_ms": calm, "behind_ms": behind})
                log_progress(f"connections: {name}, round {number}: {calm:.1f} ms alone, {behind:.1f} ms behind them")
    for name in (QUEUE, WORKERS):
        label = f"{_CLIENTS} new clients, {SHAPES[name]}: delay of a high request behind them, times pass-through's"
        report.findings.append(at_most(label, 2.0, ratios(delays_ms[name], delays_ms[PASS_THROUGH]), format_ratio))
    rows = [
        [name, *(Spread.of(values[name]).format(format_milliseconds) for values in (calm_ms, delays_ms))]
        for name in names
        if calm_ms[name]
    ]
    heads = ("one high request on a new connection", "alone", f"longer behind {_CLIENTS} new clients")
    report.tables["connections"] = markdown_table(heads, rows)
    return report


async def _measure(contender: Contender) -> tuple[float, float]:
    """Return the milliseconds of a high request alone, and of one behind the clients."""
    address = urlsplit(contender.url)
    host, port = address.hostname or "", address.port or 80
    high, low = (path_of(contender.prefix, priority, _SERVICE_MS) for priority in ("high", "low"))
    calm = median([await _ask(host, port, high) for _ in range(_CALM_REQUESTS)])
    clients = [
        asyncio.create_task(_ask(host, port, low, _WITHIN_SECONDS * number / _CLIENTS)) for number in range(_CLIENTS)
    ]
    behind = await _ask(host, port, high, _WITHIN_SECONDS + _AFTER_SECONDS)
    await asyncio.gather(*clients)
    return calm, behind


async def _ask(host: str, port: int, path: str, after_seconds: float = 0.0) -> float:
    """Connect after this time, send a request, and return the milliseconds until its response has come."""
    await asyncio.sleep(after_seconds)
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        began = time.monotonic()
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await loop.sock_connect(client, (host, port))
            await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
            received = b""
            while piece := await loop.sock_recv(client, 4096):
                received += piece
        if not received.startswith(b"HTTP/1.1 200"):
            raise OSError(f"a request was answered {received[:40]!r}")
        return (time.monotonic() - began) * 1000
