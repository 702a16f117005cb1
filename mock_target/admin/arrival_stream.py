"""The arrival log as NDJSON: one arrival a line, read from the log in batches.

A follower reads from the log itself and has no buffer of its own. If it is so slow that the log has dropped arrivals it
has not read, it gets a line {"lost": N}; when the log is reset, it gets a line {"reset": true}.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from mock_target.state import ArrivalLog

# Concurrent readers. Each arrival wakes all of them.
MAX_READERS = 16
_BATCH = 500

_encoder = msgspec.json.Encoder()


async def stream_arrivals(log: ArrivalLog, since: int, follow: bool) -> AsyncGenerator[bytes, None]:
    """Yield the arrivals after sequence number `since`, one line each; with `follow` also new ones as they arrive."""
    signal = asyncio.Event()
    with log.notify(signal):
        position, resets = since, log.resets
        while True:
            signal.clear()
            if log.resets != resets:
                position, resets = 0, log.resets
                yield b'{"reset":true}\n'
            if lost := max(0, log.dropped - position):
                position = log.dropped
                yield b'{"lost":%d}\n' % lost
            batch = log.read_after(position, _BATCH)
            if batch:
                position = batch[-1].sequence
                yield _encoder.encode_lines(batch)
                # Yield to other tasks: sending alone does not, as long as the client reads fast enough.
                await asyncio.sleep(0)
            elif not follow:
                return
            else:
                await signal.wait()
