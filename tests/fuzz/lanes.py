"""Who gets each case: the gateway with its queue and a worker, and uvicorn, nginx and HAProxy for comparison."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fast_priority import create_app
from fast_priority.local.child_processes import isolated, running, wait_until, wait_until_slots, worker_process
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import embedded_redis
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, RequestFacts, Rules
from fast_priority.server import server_for
from fast_priority.settings import Settings
from tests.acceptance.fidelity.contenders import (
    HAPROXY_ARGUMENTS,
    HAPROXY_CONFIGURATION,
    NGINX_ARGUMENTS,
    NGINX_CONFIGURATION,
    start_program,
)
from tests.fuzz.judging import Decision, Shape
from tests.fuzz.reading import ReadRequest, in_origin_form, read_by_h11
from tests.fuzz.target import RecordingTarget
from tests.path_servers import BASE, DIRECT, EXACT, INSIDE, uvicorn_serving

_FINAL = re.compile(rb"HTTP/1\.[01] (?!1)\d{3} ")
_IS_SYNC = re.compile(rb"GET (/%s)?/sync " % INSIDE.encode())
_SYNC = b"GET /sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_PATIENCE_SECONDS = 30.0
"""For the gateway: only one that hangs takes so long."""
_OTHERS_PATIENCE_SECONDS = 0.2
"""For others, who may wait for more than was sent: then less is compared."""


class Other(Protocol):
    """Somebody who reads requests as well."""

    def read(self, sent: bytes, finals: int) -> list[ReadRequest]:
        """Return the requests that it reads in what a client sends."""
        ...


@dataclass
class Gateway:
    """The gateway that is tried."""

    port: int
    target: RecordingTarget
    shape: Shape = Shape.UNLISTED
    decisions: list[Decision] = field(default_factory=list)

    def carry(self, sent: bytes, finals: int) -> bool:
        """Send a case that has so many whole requests; return whether the gateway was silent about it.

        Afterwards all is over that came of it: the slot is free again.
        """
        self.target.begin()
        self.decisions.clear()
        # Of such a request it is not known how long it is: uvicorn's parser takes no body for it, and the gateway does.
        is_counted = not _asks_for_another_protocol(sent)
        exchange = _exchange(self.port, sent, finals, _PATIENCE_SECONDS if is_counted else _OTHERS_PATIENCE_SECONDS)
        decisions, arrived = list(self.decisions), self.target.received()
        if not exchange.has_settled:
            # What was broken off may still be under way; the one slot is free for this once it has ended.
            _exchange(self.port, _SYNC, 1, _PATIENCE_SECONDS)
            decisions = [one for one in self.decisions if one.path != b"/sync"]
            arrived = [data for data in self.target.received() if not _IS_SYNC.match(data)]
        self.last = decisions, arrived
        return exchange.is_silent and is_counted

    last: tuple[list[Decision], list[bytes]] = field(default_factory=lambda: ([], []))
    """What came of the case before: the decisions, and what arrived."""


@dataclass
class _Proxy:
    port: int
    target: RecordingTarget

    def read(self, sent: bytes, finals: int) -> list[ReadRequest]:
        self.target.begin()
        _exchange(self.port, sent, finals, _OTHERS_PATIENCE_SECONDS)
        return [in_origin_form(request) for data in self.target.received() for request in read_by_h11(data).requests]


class _WithTarget(HttpToolsProtocol):
    """uvicorn's protocol, which also notes the request target: ASGI has no place for a bare `?` at its end."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.scope["target"] = self.url  # type: ignore[typeddict-unknown-key]


class _Uvicorn:
    """An ASGI application that records what uvicorn tells it of each request."""

    def __init__(self) -> None:
        self.port = 0
        self._read: list[ReadRequest] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self._read.append(ReadRequest(scope["method"].encode(), scope["target"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    def read(self, sent: bytes, finals: int) -> list[ReadRequest]:
        if _asks_for_another_protocol(sent):
            return []
        self._read = []
        _exchange(self.port, sent, finals, _OTHERS_PATIENCE_SECONDS)
        return [in_origin_form(request) for request in self._read]


@contextmanager
def gateway_lane(folder: Path, shape: Shape) -> Iterator[Gateway]:
    """Run a gateway of this shape in this process, with what its rules decide noted down, and a worker of one slot."""
    with ExitStack() as parts:
        target = parts.enter_context(RecordingTarget())
        redis_socket = parts.enter_context(embedded_redis())
        gateway = Gateway(free_port(), target, shape)
        parts.enter_context(_noting(gateway.decisions))
        parts.enter_context(_serving(_settings(gateway, redis_socket)))
        output = parts.enter_context((folder / "worker.log").open("wb"))
        worker = parts.enter_context(running(isolated(worker_process(1, 1, redis_socket)), output))
        wait_until_slots([worker], f"http://127.0.0.1:{gateway.port}", 1)
        yield gateway


def _settings(gateway: Gateway, redis_socket: str) -> Settings:
    return Settings.load(
        target_base_url=f"http://127.0.0.1:{gateway.target.port}" + f"/{INSIDE}" * (gateway.shape is Shape.BELOW),
        high_prio_paths=Listing.LISTED if gateway.shape is Shape.LISTED else Listing.UNLISTED,
        host="127.0.0.1",
        port=gateway.port,
        redis_socket=redis_socket,
        prio_paths=(EXACT,),
        prio_base_paths=(BASE,),
        pass_through=(DIRECT,),
        drain_timeout=1,
    )


@contextmanager
def _noting(decisions: list[Decision]) -> Iterator[None]:
    decide = Rules.priority_of

    def noted(self: Rules, request: RequestFacts) -> Priority | None:
        level = decide(self, request)
        decisions.append(Decision(request.raw_path.encode("latin-1"), request.method, level))
        return level

    Rules.priority_of = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Rules.priority_of = decide  # type: ignore[method-assign]


@contextmanager
def _serving(settings: Settings) -> Iterator[None]:
    server = server_for(create_app(settings), settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until("the gateway serves", lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_SECONDS)


@contextmanager
def other_lanes(folder: Path) -> Iterator[dict[str, Other]]:
    """Run all with whom the gateway is compared. Raises NotInstalled."""
    with ExitStack() as parts:
        recording = _Uvicorn()
        recording.port = parts.enter_context(uvicorn_serving(recording, _WithTarget))
        lanes: dict[str, Other] = {"uvicorn": recording}
        for program, template, arguments in (
            ("nginx", NGINX_CONFIGURATION, NGINX_ARGUMENTS),
            ("haproxy", HAPROXY_CONFIGURATION, HAPROXY_ARGUMENTS),
        ):
            target, port = parts.enter_context(RecordingTarget()), free_port()
            text = template.format(port=port, target=target.port)
            start_program(parts, folder, program, text, arguments, port)
            lanes[program] = _Proxy(port, target)
        yield lanes


@dataclass(frozen=True, slots=True)
class _Exchanged:
    has_settled: bool
    """Whether as many answers came as were asked for, or the connection was closed by the other side."""
    is_silent: bool


def _exchange(port: int, sent: bytes, finals: int, patience_seconds: float) -> _Exchanged:
    """Send bytes on a connection of their own, and wait for so many final responses, or for its end."""
    received, deadline = b"", time.monotonic() + patience_seconds
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as client:
        with contextlib.suppress(OSError):
            client.sendall(sent)
        while len(_FINAL.findall(received)) < finals:
            client.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                piece = client.recv(65536)
            except TimeoutError:
                return _Exchanged(has_settled=False, is_silent=True)
            except OSError:
                return _Exchanged(has_settled=False, is_silent=False)
            if not piece:
                return _Exchanged(has_settled=False, is_silent=False)
            received += piece
    return _Exchanged(has_settled=finals > 0, is_silent=False)


def _asks_for_another_protocol(sent: bytes) -> bool:
    return b"upgrade" in sent.lower()
