"""Part `waiting`: uploads that wait while no worker runs, and their memory beside that of waiting GETs."""

import asyncio
from contextlib import suppress

from benchmarks.endpoints import TransferFailed, body_blocks, request_head
from benchmarks.results import Finding, format_mebibytes
from benchmarks.streaming.findings import failure
from benchmarks.streaming.run_size import RunSize
from benchmarks.streaming.stack import StreamingStack, running_streaming_stack

_MOST_DIFFERENCE_BYTES = 16 * 1024  # for each request
_WAITING_WITHIN_SECONDS = 200.0  # less than FAST_PRIORITY_TTL, after which the first of them is answered
_INTERVAL_SECONDS = 0.1


def measure_waiting(size: RunSize, max_body_bytes: int) -> list[Finding]:
    """Let uploads wait, and then GETs on a new stack; compare the memory that both need."""
    size_bytes = size.waiting_kibibytes * 1024
    label = f"{size.waiting} waiting uploads of {size_bytes / 1024:,.0f} KiB"
    growth = {}
    for kind, body_bytes in (("GETs", None), ("uploads", size_bytes)):
        with running_streaming_stack(0, max_body_bytes) as stack, stack.memory_peak() as peak:
            try:
                asyncio.run(_wait_together(stack, size.waiting, body_bytes))
            except (TransferFailed, TimeoutError, OSError) as error:
                return [failure(label, f"{kind}: {type(error).__name__} {error}")]
        growth[kind] = peak.growth_bytes
    most_bytes = size.waiting * _MOST_DIFFERENCE_BYTES
    return [
        Finding(
            f"{label}: memory of {name}",
            f"< {format_mebibytes(most_bytes)} more than GETs",
            f"{format_mebibytes(growth['uploads'][name])}, GETs {format_mebibytes(of_gets)}",
            growth["uploads"][name] - of_gets < most_bytes,
        )
        for name, of_gets in growth["GETs"].items()
    ]


async def _wait_together(stack: StreamingStack, waiting: int, size_bytes: int | None) -> None:
    """Send the requests, and cancel them when all are queued. Raises TransferFailed if one is answered."""
    senders = [asyncio.create_task(_send(stack.gateway_port, size_bytes)) for _ in range(waiting)]
    try:
        async with asyncio.timeout(_WAITING_WITHIN_SECONDS):
            while await asyncio.to_thread(stack.gateways.waiting) != waiting:
                for sender in senders:
                    if sender.done():
                        raise TransferFailed(f"no worker runs, but a response arrived: {sender.result()}")
                await asyncio.sleep(_INTERVAL_SECONDS)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def _send(port: int, size_bytes: int | None) -> str:
    """Send a request and wait until the task is cancelled; return the status line if there is a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request_head("GET" if size_bytes is None else "POST", "/upload", size_bytes))
        with suppress(ConnectionError):
            for block in body_blocks(size_bytes or 0):
                writer.write(block)
                await writer.drain()
        return (await reader.readline()).decode(errors="replace").strip()
    finally:
        writer.transport.abort()
