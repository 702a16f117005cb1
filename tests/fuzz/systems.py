"""The systems that receive each case: the gateway with queue and worker; uvicorn, nginx and HAProxy to compare."""

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
_TIMEOUT_SECONDS = 30.0
"""For the gateway: only a hanging one takes so long."""
_REFERENCE_TIMEOUT_SECONDS = 0.2
"""For the others, which may wait for more bytes; then less is compared."""


class RequestReader(Protocol):
    """A server that reads requests, to compare with the gateway."""

    def read(self, sent: bytes, finals: int) -> list[ReadRequest]:
        """Return the requests that the server reads in what a client sends."""
        ...


@dataclass
class TestedGateway:
    """The tested gateway."""

    port: int
    target: RecordingTarget
    shape: Shape = Shape.UNLISTED
    decisions: list[Decision] = field(default_factory=list)

    def send(self, sent: bytes, finals: int) -> bool:
        """Send a case with `finals` complete requests; return whether the gateway stayed silent.

        On return the case is over: the slot is free again.
        """
        self.target.begin()
        self.decisions.clear()
        # The length of such a request is ambiguous: uvicorn's parser reads no body for it, the gateway does.
        is_counted = not _asks_for_another_protocol(sent)
        exchange = _exchange(self.port, sent, finals, _TIMEOUT_SECONDS if is_counted else _REFERENCE_TIMEOUT_SECONDS)
        decisions, arrived = list(self.decisions), self.target.received()
        if not exchange.has_settled:
            # A broken-off request may still be in flight; the only slot is free for this one once it has ended.
            _exchange(self.port, _SYNC, 1, _TIMEOUT_SECONDS)
            decisions = [one for one in self.decisions if one.path != b"/sync"]
            arrived = [data for data in self.target.received() if not _IS_SYNC.match(data)]
        self.last = decisions, arrived
        return exchange.is_silent and is_counted

    last: tuple[list[Decision], list[bytes]] = field(default_factory=lambda: ([], []))
    """The result of the last case: the decisions, and what arrived."""


@dataclass
class _Proxy:
    port: int
    target: RecordingTarget

    def read(self, sent: bytes, finals: int) -> list[ReadRequest]:
        self.target.begin()
        _exchange(self.port, sent, finals, _REFERENCE_TIMEOUT_SECONDS)
        return [in_origin_form(request) for data in self.target.received() for request in read_by_h11(data).requests]


class _RecordsTarget(HttpToolsProtocol):
    """uvicorn's protocol, which also records the request target: ASGI has no place for a bare `?` at its end."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.scope["target"] = self.url  # type: ignore[typeddict-unknown-key]


class _Uvicorn:
    """An ASGI application that records each request that uvicorn passes to it."""

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
        _exchange(self.port, sent, finals, _REFERENCE_TIMEOUT_SECONDS)
        return [in_origin_form(request) for request in self._read]


@contextmanager
def running_gateway(folder: Path, shape: Shape) -> Iterator[TestedGateway]:
    """Run a gateway of this shape in this process, which records its decisions, and a worker with one slot."""
    with ExitStack() as parts:
        target = parts.enter_context(RecordingTarget())
        redis_socket = parts.enter_context(embedded_redis())
        gateway = TestedGateway(free_port(), target, shape)
        parts.enter_context(_recording(gateway.decisions))
        parts.enter_context(_serving(_settings(gateway, redis_socket)))
        output = parts.enter_context((folder / "worker.log").open("wb"))
        worker = parts.enter_context(running(isolated(worker_process(1, 1, redis_socket)), output))
        wait_until_slots([worker], f"http://127.0.0.1:{gateway.port}", 1)
        yield gateway


def _settings(gateway: TestedGateway, redis_socket: str) -> Settings:
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
def _recording(decisions: list[Decision]) -> Iterator[None]:
    decide = Rules.priority_of

    def recorded(self: Rules, request: RequestFacts) -> Priority | None:
        level = decide(self, request)
        decisions.append(Decision(request.raw_path.encode("latin-1"), request.method, level))
        return level

    Rules.priority_of = recorded  # type: ignore[method-assign]
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
        thread.join(_TIMEOUT_SECONDS)


@contextmanager
def running_references(folder: Path) -> Iterator[dict[str, RequestReader]]:
    """Run the servers that the gateway is compared with. Raises NotInstalled."""
    with ExitStack() as parts:
        application = _Uvicorn()
        application.port = parts.enter_context(uvicorn_serving(application, _RecordsTarget))
        readers: dict[str, RequestReader] = {"uvicorn": application}
        for program, template, arguments in (
            ("nginx", NGINX_CONFIGURATION, NGINX_ARGUMENTS),
            ("haproxy", HAPROXY_CONFIGURATION, HAPROXY_ARGUMENTS),
        ):
            target, port = parts.enter_context(RecordingTarget()), free_port()
            text = template.format(port=port, target=target.port)
            start_program(parts, folder, program, text, arguments, port)
            readers[program] = _Proxy(port, target)
        yield readers


@dataclass(frozen=True, slots=True)
class _Exchanged:
    has_settled: bool
    """Whether all expected answers came."""
    is_silent: bool


def _exchange(port: int, sent: bytes, finals: int, timeout_seconds: float) -> _Exchanged:
    """Send bytes on a new connection, and wait for `finals` final responses or its end."""
    received, deadline = b"", time.monotonic() + timeout_seconds
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS) as client:
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
