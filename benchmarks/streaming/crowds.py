"""Many at once: streams of events, each event on its way before the next one is made, and uploads that wait."""

import asyncio
from contextlib import suppress
from statistics import median

from benchmarks.endpoints.streaming_client import EventStream, TransferFailed, blocks, head
from benchmarks.streaming.findings import Finding, failed, mebibytes
from benchmarks.streaming.memory import Watch
from benchmarks.streaming.stack import Stack, running_stack

_GRACE_SECONDS = 30.0
_MOST_DIFFERENCE_BYTES = 16 * 1024
_WAITING_WITHIN_SECONDS = 200.0  # under FAST_PRIORITY_TTL: by then the first of them is answered
_LOOK_SECONDS = 0.1
_OK = 200


def measure_events(stack: Stack, streams: int, count: int, interval_seconds: float) -> list[Finding]:
    """Hold many event streams open at once, and look at how late each event comes."""
    what = f"{streams} event streams, an event every {interval_seconds * 1000:g} ms"
    path = f"{stack.way}/events?count={count}&interval={interval_seconds}"
    # What opens two hundred connections to the target for the first time is busy with that for as long as a few events.
    asyncio.run(
        _listen(stack.gateway_port, f"{stack.way}/events?count=3&interval={interval_seconds}", streams, _GRACE_SECONDS)
    )
    with Watch(stack.processes, stack.redis_socket) as watch:
        ended = asyncio.run(_listen(stack.gateway_port, path, streams, count * interval_seconds + _GRACE_SECONDS))
    broken = sum(stream.status != _OK or len(stream.events) != count for stream in ended)
    if broken:
        return [failed(what, f"{broken} of {streams} did not come whole; statuses {sorted({s.status for s in ended})}")]
    late, lags_ms = 0, []
    for stream in ended:
        sent = [event.sent_seconds for event in stream.events]
        next_sent = [*sent[1:], sent[-1] + interval_seconds]
        late += sum(event.received_seconds >= then for event, then in zip(stream.events, next_sent, strict=True))
        lags_ms += [1000 * (event.received_seconds - event.sent_seconds) for event in stream.events]
    grown = ", ".join(f"{name} {mebibytes(grown)}" for name, grown in watch.growth_bytes.items())
    return [
        Finding(f"{what}: came after the next was sent", "none", f"{late} of {streams * count}", late == 0),
        Finding(f"{what}: on the way", "", f"median {median(lags_ms):.1f} ms, at most {max(lags_ms):.1f} ms", None),
        Finding(f"{what}: memory", "", grown, None),
    ]


async def _listen(port: int, path: str, streams: int, within_seconds: float) -> list[EventStream]:
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: EventStream(path), "127.0.0.1", port) for _ in range(streams)
    ]  # fmt: skip
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            for _, stream in opened:
                await stream.ended.wait()
    for transport, _ in opened:
        transport.close()
    return [stream for _, stream in opened]


def measure_waiting(waiting: int, size_bytes: int, max_body_bytes: int) -> list[Finding]:
    """Have uploads wait while no worker runs, and as many GETs, each on a stack of its own; compare what they need."""
    what = f"{waiting} waiting uploads of {size_bytes / 1024:,.0f} KiB"
    grown = {}
    for kind, size in (("GETs", None), ("uploads", size_bytes)):
        with running_stack(0, max_body_bytes) as stack, Watch(stack.processes, stack.redis_socket) as watch:
            try:
                asyncio.run(_wait_together(stack, waiting, size))
            except (TransferFailed, TimeoutError, OSError) as error:
                return [failed(what, f"{kind}: {type(error).__name__} {error}")]
        grown[kind] = watch.growth_bytes
    most_bytes = waiting * _MOST_DIFFERENCE_BYTES
    return [
        Finding(
            f"{what}: memory of {name}",
            f"< {mebibytes(most_bytes)} more than GETs",
            f"{mebibytes(grown['uploads'][name])}, GETs {mebibytes(of_gets)}",
            grown["uploads"][name] - of_gets < most_bytes,
        )
        for name, of_gets in grown["GETs"].items()
    ]


async def _wait_together(stack: Stack, waiting: int, size_bytes: int | None) -> None:
    """Send as many requests, and leave when all of them are queued. Raises TransferFailed if one is answered."""
    senders = [asyncio.create_task(_send(stack.gateway_port, size_bytes)) for _ in range(waiting)]
    try:
        async with asyncio.timeout(_WAITING_WITHIN_SECONDS):
            while await asyncio.to_thread(stack.waiting) != waiting:
                for sender in senders:
                    if sender.done():
                        raise TransferFailed(f"no worker runs, and there is an answer: {sender.result()}")
                await asyncio.sleep(_LOOK_SECONDS)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)


async def _send(port: int, size_bytes: int | None) -> str:
    """Send a request and wait until it is cancelled; give the answer's first line should there be one after all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head("GET" if size_bytes is None else "POST", "/upload", size_bytes))
        with suppress(ConnectionError):
            for block in blocks(size_bytes or 0):
                writer.write(block)
                await writer.drain()
        return (await reader.readline()).decode(errors="replace").strip()
    finally:
        writer.transport.abort()
