"""A target that makes and swallows bodies of any size, at little cost, and tells what it has seen.

    python -m benchmarks.endpoints.streaming_target PORT

| request | what comes of it |
|---|---|
| `GET /download?bytes=N&id=X` | a body of N bytes; `id` names it for /digest |
| `POST /upload` | swallows the body; answers with its size and checksum |
| `GET /events?count=N&interval=S` | server-sent events, each with the time it was sent at |
| `GET /digest?id=X` | size and checksum of what was sent under that name |
| `GET /state` | how many responses are being sent, and how many clients left in the midst of one |

Whatever stands before the last part of a path is overlooked, so that a gateway can tell paths apart. The mock target
holds a response in memory whole, at most 64 MiB: too little here.
"""

import asyncio
import hashlib
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httptools
import uvloop

from benchmarks.endpoints.streaming_client import blocks

Digest = dict[str, object]


@dataclass
class State:
    """What all connections know together."""

    sending: int = 0
    left: int = 0
    digests: dict[str, Digest] = field(default_factory=dict)


class Connection(asyncio.Protocol):
    """One kept-alive connection, on which one request at a time is answered."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._sending: asyncio.Task[None] | None = None
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls this."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending; asyncio calls this."""
        self._transport = None
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()

    def pause_writing(self) -> None:
        """The client does not keep up; asyncio calls this."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """The client has caught up; asyncio calls this."""
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        """Parse what came; asyncio calls this."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    def on_message_begin(self) -> None:
        """A request begins; the parser calls this."""
        self._url = b""
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request line; the parser calls this."""
        self._url += url

    def on_body(self, data: bytes) -> None:
        """Swallow a piece of the body; the parser calls this."""
        self._sha256.update(data)
        self._size_bytes += len(data)

    def on_message_complete(self) -> None:
        """Answer; the parser calls this at the end of a request."""
        parts = urlsplit(self._url.decode())
        given = dict(parse_qsl(parts.query))
        match parts.path.rpartition("/")[2]:
            case "download":
                self._sending = asyncio.create_task(self._send(self._send_body(given)))
            case "events":
                self._sending = asyncio.create_task(self._send(self._send_events(given)))
            case "digest":
                self._say(self._state.digests.get(given["id"], {}))
            case "state":
                self._say({"sending": self._state.sending, "left": self._state.left})
            case _:
                self._say({"bytes": self._size_bytes, "sha256": self._sha256.hexdigest()})

    def _say(self, what: Digest) -> None:
        body = json.dumps(what).encode()
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        self._write(body)

    async def _send(self, sending: Any) -> None:
        self._state.sending += 1
        try:
            await sending
        except asyncio.CancelledError:
            self._state.left += 1
            raise
        finally:
            self._state.sending -= 1

    async def _send_body(self, given: dict[str, str]) -> None:
        size_bytes, sha256 = int(given["bytes"]), hashlib.sha256()
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        sent_bytes = 0
        for block in blocks(size_bytes):
            sha256.update(block)
            sent_bytes += len(block)
            if sent_bytes == size_bytes:  # before the last of it goes: who has it all may ask at once
                digest: Digest = {"bytes": sent_bytes, "sha256": sha256.hexdigest()}
                self._state.digests[given.get("id", "")] = digest
            self._write(block)
            await self._may_write.wait()
            await asyncio.sleep(0)  # others want to be heard, too, by whom nothing ever blocks

    async def _send_events(self, given: dict[str, str]) -> None:
        interval_seconds = float(given["interval"])
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(int(given["count"])):
            event = b"data: %s\n\n" % json.dumps({"number": number, "sent": time.monotonic()}).encode()
            self._write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(interval_seconds)
        self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(port: int) -> None:
    """Serve on loopback until the process is ended."""
    state = State()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
