"""Part `events`: many streams of server-sent events at once, and the delay of each event."""

import asyncio
from statistics import median

from benchmarks.endpoints import receive_streams
from benchmarks.results import Finding, format_mebibytes
from benchmarks.streaming.findings import failure
from benchmarks.streaming.run_size import RunSize
from benchmarks.streaming.stack import StreamingStack

_GRACE_SECONDS = 30.0
_WARM_UP_EVENTS = 3
_OK = 200


def measure_events(stack: StreamingStack, size: RunSize) -> list[Finding]:
    """Hold the streams open together, and judge whether each event arrives before the target sends the next one."""
    interval_seconds = size.event_interval_seconds
    label = f"{size.streams} event streams, an event every {interval_seconds * 1000:g} ms"
    path = f"{stack.prefix}/events?interval={interval_seconds}"
    # A worker that opens many connections to the target for the first time needs longer than a few events take.
    asyncio.run(receive_streams(stack.gateway_port, f"{path}&count={_WARM_UP_EVENTS}", size.streams, _GRACE_SECONDS))
    within_seconds = size.events * interval_seconds + _GRACE_SECONDS
    with stack.memory_peak() as peak:
        streams = asyncio.run(
            receive_streams(stack.gateway_port, f"{path}&count={size.events}", size.streams, within_seconds)
        )
    incomplete = sum(stream.status != _OK or len(stream.events) != size.events for stream in streams)
    if incomplete:
        statuses = sorted({stream.status for stream in streams})
        return [failure(label, f"{incomplete} of {size.streams} were not complete; statuses {statuses}")]
    late, delays_ms = 0, []
    for stream in streams:
        sent = [event.sent_seconds for event in stream.events]
        next_sent = [*sent[1:], sent[-1] + interval_seconds]
        late += sum(event.received_seconds >= then for event, then in zip(stream.events, next_sent, strict=True))
        delays_ms += [1000 * (event.received_seconds - event.sent_seconds) for event in stream.events]
    growth = ", ".join(f"{name} {format_mebibytes(grown)}" for name, grown in peak.growth_bytes.items())
    total = size.streams * size.events
    delays = f"median {median(delays_ms):.1f} ms, at most {max(delays_ms):.1f} ms"
    return [
        Finding(f"{label}: came after the next was sent", "none", f"{late} of {total}", late == 0),
        Finding(f"{label}: on the way", "", delays, None),
        Finding(f"{label}: memory", "", growth, None),
    ]
