"""The arrival log as NDJSON: one arrival a line, read in batches from the log as they are sent.

The log itself is what a follower reads from, so that no follower has a buffer of its own. One that is slower than the
log forgets is told by a line {"lost": N}, and one that sees the log reset by a line {"reset": true}.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from mock_target.state import ArrivalLog

# At once; each costs a turn of the event loop at each arrival.
MAX_READERS = 16
_BATCH = 500

_encoder = msgspec.json.Encoder()


async def tell_arrivals(log: ArrivalLog, since: int, follow: bool) -> AsyncGenerator[bytes, None]:
    """Tell the arrivals after sequence number `since`, and with `follow` those to come, each as it arrives."""
    news = asyncio.Event()
    with log.rings(news):
        position, resets = since, log.resets
        while True:
            news.clear()
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
                # Let others have a turn: sending alone does not, while the client keeps up.
                await asyncio.sleep(0)
            elif not follow:
                return
            else:
                await news.wait()
