"""A target that sends and receives bodies of any size at little cost, and reports sizes, checksums and connections.

| request | response |
|---|---|
| `GET /download?bytes=N&id=X` | a body of N bytes; `id` names it for /digest |
| `POST /upload` | size and checksum of the body that it received |
| `GET /events?count=N&interval=S` | server-sent events, each with the time at which it was sent |
| `GET /digest?id=X` | size and checksum of the body that was sent under that name |
| `GET /state` | how many responses are being sent, and how many clients left during one |

Only the last segment of a path counts, so a gateway can have rules for the segments before it. The mock target cannot
be used here: it holds a response completely in memory, at most 64 MiB.
"""

import argparse
import asyncio
import hashlib
import json
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httptools
import uvloop

from benchmarks.endpoints.bodies import body_blocks

Digest = dict[str, object]


@dataclass
class State:
    """What all connections share."""

    sending: int = 0
    left: int = 0
    digests: dict[str, Digest] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request at a time. asyncio and the parser call its methods."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._sending: asyncio.Task[None] | None = None
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending."""
        self._transport = None
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()

    def pause_writing(self) -> None:
        """Pause: the client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Continue to send."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; close the connection if they are not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Append a piece of the request target."""
        self._url += url

    def on_body(self, data: bytes) -> None:
        """Count a piece of the body and drop it."""
        self._sha256.update(data)
        self._size_bytes += len(data)

    def on_message_complete(self) -> None:
        """Answer a complete request."""
        parts = urlsplit(self._url.decode())
        options = dict(parse_qsl(parts.query))
        match parts.path.rpartition("/")[2]:
            case "download":
                self._sending = asyncio.create_task(self._count(self._send_body(options)))
            case "events":
                self._sending = asyncio.create_task(self._count(self._send_events(options)))
            case "digest":
                self._send_json(self._state.digests.get(options["id"], {}))
            case "state":
                self._send_json({"sending": self._state.sending, "left": self._state.left})
            case _:
                self._send_json({"bytes": self._size_bytes, "sha256": self._sha256.hexdigest()})

    def _send_json(self, fields: Digest) -> None:
        body = json.dumps(fields).encode()
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        self._write(body)

    async def _count(self, sending: Coroutine[Any, Any, None]) -> None:
        self._state.sending += 1
        try:
            await sending
        except asyncio.CancelledError:
            self._state.left += 1
            raise
        finally:
            self._state.sending -= 1

    async def _send_body(self, options: dict[str, str]) -> None:
        size_bytes, sha256 = int(options["bytes"]), hashlib.sha256()
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        sent_bytes = 0
        for block in body_blocks(size_bytes):
            sha256.update(block)
            sent_bytes += len(block)
            if sent_bytes == size_bytes:  # before the last block: its receiver may request the digest at once
                digest: Digest = {"bytes": sent_bytes, "sha256": sha256.hexdigest()}
                self._state.digests[options.get("id", "")] = digest
            self._write(block)
            await self._writable.wait()
            await asyncio.sleep(0)  # let other connections run if this one never has to wait

    async def _send_events(self, options: dict[str, str]) -> None:
        interval_seconds = float(options["interval"])
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(int(options["count"])):
            event = b"data: %s\n\n" % json.dumps({"number": number, "sent": time.monotonic()}).encode()
            self._write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(interval_seconds)
        self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def _serve(port: int) -> None:
    state = State()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve on a port of loopback until the process is ended."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks streaming-target",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("port", type=int, help="port on 127.0.0.1")
    uvloop.run(_serve(parser.parse_args(arguments).port))
    return 0
