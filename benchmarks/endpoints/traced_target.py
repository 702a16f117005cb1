"""A target that answers every GET at once and says in the response when it came and when it was answered.

Run as a process of its own: `traced_target.py PORT`. It reads only as much of HTTP as it needs.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

_HEAD_ENDS = b"\r\n\r\n"
ARRIVED, ANSWERED = "x-arrived", "x-answered"


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._unread = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports can all of this, but are not instances of asyncio's classes.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        arrived = time.time()
        assert self._transport is not None
        *whole, self._unread = (self._unread + data).split(_HEAD_ENDS)
        for _ in whole:
            head = f"{ARRIVED}: {arrived:.6f}\r\n{ANSWERED}: {time.time():.6f}"
            self._transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{head}\r\n\r\n0123456789".encode())


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
