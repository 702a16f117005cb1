"""Each request has exactly one last event, in every way in which it can end; without listeners no event is built."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from starlette.types import Message

from fast_priority import events as events_module
from fast_priority.broker.producer import Permit
from fast_priority.errors import GatewayError, QueueFull, RequestLost, ResponseIncomplete, TargetClosed, TooManyTunnels
from fast_priority.events import (
    LAST,
    Answered,
    Events,
    Failed,
    Left,
    Queued,
    Received,
    Refused,
    Retried,
)
from fast_priority.gateway.handler import Gateway
from fast_priority.http.message import Bytes, Reply
from fast_priority.http.trusted_proxies import TrustedProxies
from fast_priority.http.via import Deployment
from fast_priority.protocol.conversation import Conversation
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Rules
from fast_priority.server import EXTENSION, DisconnectEvent
from fast_priority.settings import Settings

KINDS: list[type[Any]] = [
    kind for kind in vars(events_module).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
]
HELLO = Reply(200, [], b"hello")


class Body:
    """A response of the target whose body comes in these pieces; an error breaks it off."""

    http_version, head_at = "1.1", 1.0

    def __init__(self, *pieces: bytes | GatewayError, status: int = 200) -> None:
        self.status = status
        self.fields: list[tuple[bytes, bytes]] = []
        self._pieces = pieces

    async def chunks(self) -> AsyncIterator[Bytes]:
        for piece in self._pieces:
            if isinstance(piece, GatewayError):
                raise piece
            yield piece

    async def whole_if_quick(self) -> None:
        """It is slow."""

    def close(self) -> None:
        """Nothing is held."""


class Queues:
    """Answers each request with the next of these; an error is raised, and what is called is awaited."""

    is_closing = False

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes = list(outcomes)

    def submit(self, *_: Any, on_submit: Callable[[str], object] | None, **__: Any) -> Any:
        if on_submit is not None:
            on_submit(f"job-{len(self._outcomes)}")

    async def outcome(self, *_: Any, **__: Any) -> Any:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return await outcome() if callable(outcome) else outcome


class Target:
    """What a request that skips the queues gets: the same."""

    policy = Settings.load(target_base_url="http://target").target_policy()

    def __init__(self, outcome: Any = None) -> None:
        self._outcome = outcome

    def check(self, raw_target: bytes) -> None:
        """Take every path."""

    @asynccontextmanager
    async def exchange(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        yield self._outcome


class Tunnels:
    """WebSockets: the target accepts, declines, or fails; or there is no place for one more."""

    def __init__(self, does: str) -> None:
        self._does = does

    @contextmanager
    def place(self) -> Iterator[None]:
        if self._does == "full":
            raise TooManyTunnels("1 is open")
        yield

    async def shake_hands(self, raw_target: bytes, fields: Any, reply: Any, most_response_bytes: int = 0) -> object:
        if self._does == "decline":
            await reply.stream(Body(b"no", status=404))
            return None
        return object()

    async def join(self, accepted: object, reply: Any) -> None:
        reply.hand_over(lambda: None)


class Client:
    """A client, and its connection: by messages or, with `leaves`, gone as soon as its request waits."""

    takes_at_once = False
    can_announce_no_body = False

    def __init__(self, *, path: str = "/queued", wants_websocket: bool = False, extension: bool = True) -> None:
        self.path = path
        self.method = "GET"
        self.headers: list[tuple[bytes, bytes]] = []
        self.wants_websocket = wants_websocket
        self.raw_target = path.encode()
        self.left = DisconnectEvent()
        self.has_left = asyncio.Event()
        self.got: list[Message] = []
        self._extension = extension

    def scope(self) -> dict[str, Any]:
        extensions = {EXTENSION: {"connection": self}} if self._extension else {}
        return {
            "type": "http", "method": self.method, "http_version": "1.1", "scheme": "http", "client": ("192.0.2.7", 1),
            "path": self.path, "raw_path": self.raw_target, "query_string": b"",
            "headers": [(b"host", b"x"), *self.headers], "extensions": extensions,
        }  # fmt: skip

    async def receive(self) -> Message:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message)

    def leave(self) -> None:
        self.left.set()
        self.has_left.set()

    def hold_body(self) -> None:
        """No body is sent."""

    def let_body_flow(self) -> None:
        """No body is sent."""

    def abort(self) -> None:
        """Nothing is to be closed."""

    def take_over(self, end: Callable[[], None]) -> object:
        return object()


class Rig:
    """A gateway for one request of one client."""

    def __init__(self, client: Client, queues: Any, target: Any, tunnels: Any) -> None:
        self.client = client
        self.queues = queues
        self.target = target
        self.tunnels = tunnels

    async def run(self, events: Events) -> None:
        gateway = Gateway(
            Rules.of(pass_through=["direct"]),
            TrustedProxies.of(()),
            self.queues,
            self.target,
            6,
            lambda _: 1,
            30.0,
            Deployment(),
            self.tunnels,
            events,
        )
        await gateway(self.client.scope(), self.client.receive, self.client.send)


def rig(*outcomes: Any, target: Any = None, tunnels: str | None = None, **options: Any) -> Rig:
    client = Client(wants_websocket=tunnels is not None, **options)
    return Rig(client, Queues(*outcomes), Target(target), Tunnels(tunnels) if tunnels else None)


def permit() -> Permit:
    return Permit(Conversation(), lambda has_ended: None)


def handshake(does: str) -> Rig:
    async def grant() -> Permit:
        return permit()

    return rig(grant, tunnels=does)


def leaving(*, extension: bool) -> Rig:
    made = rig(extension=extension)

    async def never() -> None:
        made.client.leave()
        await asyncio.Event().wait()

    made.queues = Queues(never)
    return made


def answered_here() -> Rig:
    made = rig()
    made.client.method, made.client.headers = "OPTIONS", [(b"max-forwards", b"0")]
    return made


def malformed() -> Rig:
    made = rig()
    made.client.headers = [(b"content-length", b"x")]
    return made


WAYS: dict[str, tuple[Callable[[], Rig], type[object]]] = {
    "a whole response": (lambda: rig(HELLO), Answered),
    "a response in pieces": (lambda: rig(Body(b"a", b"b")), Answered),
    "the gateway's own response": (answered_here, Answered),
    "passed through": (lambda: rig(path="/direct", target=Body(b"a")), Answered),
    "a second attempt": (lambda: rig(RequestLost(), HELLO), Answered),
    "a handshake that is accepted": (lambda: handshake("accept"), Answered),
    "a handshake that is declined": (lambda: handshake("decline"), Answered),
    "a handshake that skips the queue": (lambda: rig(path="/direct", tunnels="accept"), Answered),
    "a worker that knows no permits": (lambda: rig(HELLO, tunnels="accept"), Answered),
    "no place for a handshake": (lambda: handshake("full"), Refused),
    "a full queue": (lambda: rig(QueueFull()), Refused),
    "a malformed head": (malformed, Refused),
    "both attempts fail": (lambda: rig(RequestLost(), TargetClosed()), Failed),
    "passed through, and failed": (lambda: rig(path="/direct", target=TargetClosed()), Failed),
    "a response that breaks off": (lambda: rig(Body(b"a", ResponseIncomplete())), Failed),
    "a permit for an ordinary request": (lambda: rig(permit(), target=Body(b"a")), Answered),
    "a client that leaves": (lambda: leaving(extension=True), Left),
    "a client that leaves, at another server": (lambda: leaving(extension=False), Left),
}
RAISING: dict[str, type[BaseException]] = {"a bug": ZeroDivisionError, "its task is cancelled": asyncio.CancelledError}


def listened() -> tuple[Events, list[Any]]:
    events, seen = Events(), list[Any]()
    for kind in KINDS:
        events.subscribe(kind, seen.append)
    return events, seen


@pytest.mark.parametrize("way", WAYS)
async def test_one_last_event(way: str) -> None:
    """It is the last of all events of the request, which begin with Received."""
    make, last = WAYS[way]
    events, seen = listened()
    await make().run(events)
    assert [type(event) for event in seen if isinstance(event, LAST)] == [last]
    assert (type(seen[0]), type(seen[-1])) == (Received, last)
    assert len({id(event.scope) for event in seen}) == 1


@pytest.mark.parametrize("way", RAISING)
async def test_one_last_event_of_what_the_gateway_does_not_handle(way: str) -> None:
    """A request that ends with another error has failed, and the error goes on to the server."""
    events, seen = listened()
    with pytest.raises(RAISING[way]):
        await rig(RAISING[way]()).run(events)
    assert [type(event) for event in seen] == [Received, Queued, Failed]
    assert isinstance(seen[-1].error, RAISING[way])


async def test_one_last_event_behind_a_middleware() -> None:
    """What a middleware does with the messages of the response adds no event."""
    events, seen = listened()
    made = rig(HELLO)
    send = made.client.send

    async def middleware(message: Message) -> None:
        await send({**message, "by": "middleware"})

    made.client.send = middleware  # type: ignore[method-assign]
    await made.run(events)
    assert [type(event) for event in seen] == [Received, Queued, Answered]


@pytest.mark.parametrize("way", [*WAYS, *RAISING])
async def test_without_listeners_no_event_is_built(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs nothing for those who do not listen."""

    def fail(self: object, *_: object, **__: object) -> None:
        raise AssertionError(f"a {type(self).__name__} was built")

    for kind in KINDS:
        monkeypatch.setattr(kind, "__init__", fail)
    if way in RAISING:
        with pytest.raises(RAISING[way]):
            await rig(RAISING[way]()).run(Events())
    else:
        await WAYS[way][0]().run(Events())


@pytest.mark.parametrize(
    ("make", "status"),
    [(lambda: rig(Reply(204, [], b"")), 204), (lambda: rig(Body(status=404)), 404), (lambda: handshake("accept"), 101)],
    ids=["whole", "in pieces", "handshake"],
)
async def test_answered_has_the_status(make: Callable[[], Rig], status: int) -> None:
    """It is what the client got."""
    events, seen = listened()
    await make().run(events)
    assert seen[-1].status == status


@pytest.mark.parametrize(
    ("outcome", "is_broken_off"), [(Body(b"a", ResponseIncomplete()), True), (TargetClosed(), False)]
)
async def test_failed_shows_whether_a_response_was_broken_off(outcome: Any, is_broken_off: bool) -> None:
    """The client has a part of a response, or one that names the error."""
    events, seen = listened()
    await rig(outcome, outcome).run(events)
    assert seen[-1].is_broken_off is is_broken_off


async def test_each_attempt_is_queued() -> None:
    """Each has the id of its job. Between two attempts stands the error of the first."""
    events, seen = listened()
    error = RequestLost()
    await rig(error, HELLO).run(events)
    scope = seen[0].scope
    assert seen[1:-1] == [
        Queued(scope, Priority.HIGH, 1, "job-2"),
        Retried(scope, error, seen[0].record),
        Queued(scope, Priority.HIGH, 2, "job-1"),
    ]


async def test_what_skips_the_queues_is_not_queued() -> None:
    """There is no Queued for it."""
    events, seen = listened()
    await rig(path="/direct", target=Body(b"a")).run(events)
    assert [type(event) for event in seen] == [Received, Answered]
