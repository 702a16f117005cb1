"""HttpProtocol without a socket: what it shows of its state."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from fast_priority.server.http_protocol import HttpProtocol
from fast_priority.server.timeouts import ConnectionTimeouts

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Transport(asyncio.Transport):
    """A transport that sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._is_closing = False

    def write(self, data: object) -> None: ...

    def write_eof(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


async def answer_never(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def protocol() -> HttpProtocol:
    config = uvicorn.Config(answer_never, lifespan="off", log_config=None, ws="none")
    timeouts = ConnectionTimeouts(60, 60, 60)
    made = HttpProtocol(config=config, server_state=ServerState(), app_state={}, timeouts=timeouts)
    made.connection_made(Transport())
    return made


def do_nothing(protocol: HttpProtocol) -> None:
    pass


def receive(data: bytes) -> Callable[[HttpProtocol], None]:
    return lambda protocol: protocol.data_received(data)


def drain(protocol: HttpProtocol) -> None:
    protocol.data_received(GET)
    protocol.shutdown()


def lose(protocol: HttpProtocol) -> None:
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    ("do", "shown"),
    [
        (do_nothing, "NEW KEEP_ALIVE, not answering, 0 requests and 0 bytes waiting"),
        (receive(HEAD[:20]), "HEAD KEEP_ALIVE, not answering, 0 requests and 0 bytes waiting"),
        (receive(HEAD), "BODY KEEP_ALIVE, answering, 0 requests and 0 bytes waiting"),
        (receive(GET), "IDLE KEEP_ALIVE, answering, 0 requests and 0 bytes waiting"),
        (receive(GET + GET + b"rest"), "IDLE KEEP_ALIVE, answering, 1 requests and 4 bytes waiting"),
        (receive(b"nonsense\r\n\r\n"), "REFUSED KEEP_ALIVE, answering, 0 requests and 0 bytes waiting"),
        (drain, "IDLE DRAINING, answering, 0 requests and 0 bytes waiting"),
        (lose, "CLOSED KEEP_ALIVE, not answering, 0 requests and 0 bytes waiting"),
    ],
)
async def test_its_text_shows_its_state(protocol: HttpProtocol, do: Callable[[HttpProtocol], None], shown: str) -> None:
    """The text of a connection names what is read next, how long it lasts, and what waits."""
    do(protocol)
    assert repr(protocol) == f"<HttpProtocol {shown}>"
