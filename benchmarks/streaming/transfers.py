"""Large bodies in one go: through the queue as fast as the machine can, and to a client that is in no hurry."""

import hashlib
import math
import socket
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.endpoints.streaming_client import Transfer, TransferFailed, ask, blocks, download, head, upload
from benchmarks.streaming.findings import MEBIBYTE, Finding, failed, memory_findings
from benchmarks.streaming.memory import Watch
from benchmarks.streaming.stack import PASSED, Stack

MOST_GROWTH_BYTES = 64 * MEBIBYTE
_LEAST_SHARE = 1 / 3
_SLOW_BYTES_PER_SECOND = 100_000
_SLOW_READ_BYTES = 10_000
_LEFT_WITHIN_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_WARM_UP_BYTES = 4 * MEBIBYTE


def measure_transfers(stack: Stack, size_bytes: int, rounds: int, *, judge_speed: bool) -> list[Finding]:
    """Send a large body up and another down, through the queue and past it, in turn; compare memory and speed."""
    findings = []
    for name, once in (("download", partial(_download, stack)), ("upload", partial(_upload, stack))):
        what = f"{name} of {size_bytes / MEBIBYTE:,.0f} MiB"
        try:
            findings += _compare(stack, what, partial(once, size_bytes), once, rounds, judge_speed=judge_speed)
        except TransferFailed as error:
            findings.append(failed(what, str(error)))
    return findings


def _compare(
    stack: Stack,
    what: str,
    send: Callable[[str], Transfer],
    once: Callable[[int, str], Transfer],
    rounds: int,
    *,
    judge_speed: bool,
) -> list[Finding]:
    for way in (stack.way, PASSED):
        once(_WARM_UP_BYTES, way)  # what is imported and allocated once, for a body of any size, is not growth
    measured, passed = [], []
    growth: dict[str, int] = {}
    for number in range(rounds):
        if number % 2:
            passed.append(send(PASSED).mebibytes_per_second)
        with Watch(stack.processes, stack.redis_socket) as watch:
            measured.append(send(stack.way).mebibytes_per_second)
        growth = {name: max(grown, growth.get(name, 0)) for name, grown in watch.growth_bytes.items()}
        if not number % 2:
            passed.append(send(PASSED).mebibytes_per_second)
    ratio = median(mine / its for mine, its in zip(measured, passed, strict=True))
    seen = f"{ratio:.2f} (median: {median(measured):,.0f} and {median(passed):,.0f} MiB/s)"
    return [
        Finding(f"{what}: checksums", "alike at both ends", f"alike in {2 * rounds}", True),
        *memory_findings(what, growth, MOST_GROWTH_BYTES),
        Finding(
            f"{what}: speed through the queue / pass-through's",
            f">= {_LEAST_SHARE:.2f}" if judge_speed else "",
            seen,
            ratio >= _LEAST_SHARE if judge_speed else None,
        ),
    ]


def _download(stack: Stack, size_bytes: int, way: str) -> Transfer:
    name = f"{time.monotonic_ns()}"
    got = download(stack.gateway_port, f"{way}/download?bytes={size_bytes}&id={name}")
    sent = ask(stack.target_port, iter([head("GET", f"/digest?id={name}")]))
    if (sent.get("bytes"), sent.get("sha256")) != (got.size_bytes, got.sha256):
        raise TransferFailed(f"the target sent {sent}, and {got} came")
    return got


def _upload(stack: Stack, size_bytes: int, way: str) -> Transfer:
    got = upload(stack.gateway_port, f"{way}/upload", size_bytes)
    if got.size_bytes != size_bytes or got.sha256 != _digest(size_bytes):
        raise TransferFailed(f"{size_bytes} bytes were sent, and {got} came, or not the same")
    return got


def measure_slow_reader(stack: Stack, size_bytes: int, seconds: float, most_growth_bytes: int) -> list[Finding]:
    """Read a large response slowly, then leave in the midst of it."""
    what = f"{size_bytes / MEBIBYTE:,.0f} MiB read at {_SLOW_BYTES_PER_SECOND / 1000:g} kB/s for {seconds:g} s"
    left_before = stack.target_state()["left"]
    with Watch(stack.processes, stack.redis_socket) as watch:
        beginning = _read_slowly(stack.gateway_port, f"{stack.way}/download?bytes={size_bytes}", seconds)
    if not beginning.startswith(b"HTTP/1.1 200"):
        return [failed(what, f"answered {beginning[:100]!r}")]
    findings = memory_findings(what, watch.growth_bytes, most_growth_bytes)
    return [*findings, *_let_go(stack, left_before, what)]


def _let_go(stack: Stack, left_before: int, what: str) -> list[Finding]:
    """Wait until nothing is left of a client that has just left, and say how long each part took."""
    conditions: dict[str, Callable[[], bool]] = {
        "the target's connection is closed": lambda: stack.target_state() == {"sending": 0, "left": left_before + 1},
        "the slot is free": lambda: stack.in_flight() == 0,
    }
    began, after_seconds = time.monotonic(), dict.fromkeys(conditions, math.inf)
    while time.monotonic() < began + _LEFT_WITHIN_SECONDS and math.inf in after_seconds.values():
        for wanted, condition in conditions.items():
            if condition():
                after_seconds[wanted] = min(after_seconds[wanted], time.monotonic() - began)
        time.sleep(_LOOK_SECONDS)
    return [
        Finding(
            f"{what}, then left: {wanted}",
            f"within {_LEFT_WITHIN_SECONDS:g} s",
            "not yet" if seconds == math.inf else f"after {seconds:.1f} s",
            seconds < math.inf,
        )
        for wanted, seconds in after_seconds.items()
    ]


def _read_slowly(port: int, path: str, seconds: float) -> bytes:
    beginning = b""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # what it holds, nobody has read
        connection.settimeout(seconds + 30)
        connection.connect(("127.0.0.1", port))
        connection.sendall(head("GET", path))
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and (data := connection.recv(_SLOW_READ_BYTES)):
            beginning = beginning or data
            time.sleep(_SLOW_READ_BYTES / _SLOW_BYTES_PER_SECOND)
    return beginning


def _digest(size_bytes: int) -> str:
    sha256 = hashlib.sha256()
    for block in blocks(size_bytes):
        sha256.update(block)
    return sha256.hexdigest()
