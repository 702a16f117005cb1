"""Part `transfers`: large bodies in both directions, through the queue and through pass-through."""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.endpoints import Transfer, TransferFailed, body_blocks, download, fetch_json, request_head, upload
from benchmarks.results import MEBIBYTE, Finding
from benchmarks.streaming.findings import failure, memory_findings
from benchmarks.streaming.run_size import RunSize
from benchmarks.streaming.stack import PASS_THROUGH, StreamingStack

_MOST_GROWTH_BYTES = 64 * MEBIBYTE
_LEAST_SPEED_RATIOS = {False: 0.8, True: 1 / 3}
"""By whether a worker forwards the bodies: then they pass through Redis."""
_WARM_UP_BYTES = 4 * MEBIBYTE
Send = Callable[[int, str], Transfer]
"""Sends a body of this size, on a path with this prefix."""


def measure_transfers(stack: StreamingStack, size: RunSize) -> list[Finding]:
    """Send a large body in each direction, in turn through queue and pass-through; compare memory and speed."""
    findings = []
    size_bytes = size.transfer_mebibytes * MEBIBYTE
    for name, send in (("download", partial(_download, stack)), ("upload", partial(_upload, stack))):
        label = f"{name} of {size_bytes / MEBIBYTE:,.0f} MiB"
        try:
            findings += _compare(stack, label, send, size_bytes, size)
        except TransferFailed as error:
            findings.append(failure(label, str(error)))
    return findings


def _compare(stack: StreamingStack, label: str, send: Send, size_bytes: int, size: RunSize) -> list[Finding]:
    for prefix in (stack.prefix, PASS_THROUGH):
        send(_WARM_UP_BYTES, prefix)  # memory that a body of any size allocates once is not growth
    queued, passed = [], []
    growth: dict[str, int] = {}
    for number in range(size.rounds):
        if number % 2:
            passed.append(send(size_bytes, PASS_THROUGH).mebibytes_per_second)
        with stack.memory_peak() as peak:
            queued.append(send(size_bytes, stack.prefix).mebibytes_per_second)
        growth = {name: max(grown, growth.get(name, 0)) for name, grown in peak.growth_bytes.items()}
        if not number % 2:
            passed.append(send(size_bytes, PASS_THROUGH).mebibytes_per_second)
    ratio = median(one / other for one, other in zip(queued, passed, strict=True))
    least_ratio = _LEAST_SPEED_RATIOS["worker" in stack.gateways.processes]
    return [
        Finding(f"{label}: checksums", "alike at both ends", f"alike in {2 * size.rounds}", True),
        *memory_findings(label, growth, _MOST_GROWTH_BYTES),
        Finding(
            f"{label}: speed through the queue / pass-through's",
            f">= {least_ratio:.2f}" if size.judge_speed else "",
            f"{ratio:.2f} (median: {median(queued):,.0f} and {median(passed):,.0f} MiB/s)",
            ratio >= least_ratio if size.judge_speed else None,
        ),
    ]


def _download(stack: StreamingStack, size_bytes: int, prefix: str) -> Transfer:
    name = f"{time.monotonic_ns()}"
    received = download(stack.gateway_port, f"{prefix}/download?bytes={size_bytes}&id={name}")
    sent = fetch_json(stack.target_port, [request_head("GET", f"/digest?id={name}")])
    if (sent.get("bytes"), sent.get("sha256")) != (received.size_bytes, received.sha256):
        raise TransferFailed(f"the target sent {sent}, but the client received {received}")
    return received


def _upload(stack: StreamingStack, size_bytes: int, prefix: str) -> Transfer:
    received = upload(stack.gateway_port, f"{prefix}/upload", size_bytes)
    if (received.size_bytes, received.sha256) != (size_bytes, _sha256(size_bytes)):
        raise TransferFailed(f"{size_bytes} bytes were sent, but the target received {received}")
    return received


def _sha256(size_bytes: int) -> str:
    sha256 = hashlib.sha256()
    for block in body_blocks(size_bytes):
        sha256.update(block)
    return sha256.hexdigest()
