"""A target that answers every GET at once and states in the response when it arrived and when it was answered.

It runs as a process of its own and reads only as much of HTTP as it needs.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import cast

import uvloop

_END_OF_HEAD = b"\r\n\r\n"
ARRIVED, ANSWERED = "x-arrived", "x-answered"
"""Response fields with the two times, in unix seconds."""


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._unparsed = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have all these methods, but are not instances of asyncio's classes.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        arrived = time.time()
        assert self._transport is not None
        *requests, self._unparsed = (self._unparsed + data).split(_END_OF_HEAD)
        for _ in requests:
            head = f"{ARRIVED}: {arrived:.6f}\r\n{ANSWERED}: {time.time():.6f}"
            self._transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n{head}\r\n\r\n0123456789".encode())


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve on a port of loopback until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks traced-target", description=__doc__)
    parser.add_argument("port", type=int, help="port on 127.0.0.1")
    uvloop.run(_serve(parser.parse_args(arguments).port))
    return 0
