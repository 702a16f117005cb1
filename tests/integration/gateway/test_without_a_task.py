"""A request without a body needs no task, until something happens to it that needs one; nobody sees a difference."""

import gc
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from redis import Redis
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fast_priority.broker import keys
from fast_priority.broker.producer import own_slots
from fast_priority.events import LAST, Answered, Failed, Left, Queued, Received
from fast_priority.gateway.application import GatewayApp
from fast_priority.gateway.quick_request import QuickRequest
from fast_priority.local.free_ports import free_port
from fast_priority.server.http_protocol import HttpProtocol
from tests.harness import problem_of, wait_until, without_collector
from tests.integration.gateway.embedding_rig import Behind, everything_behind, served
from tests.redis_servers import loopback_redis

OWN, LENT = "its own slots", "the slots of another gateway"
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "workers": ("/high", {}),
    "past the queue": ("/direct", {}),
    # On a Redis of their own, where no worker takes a request first: `behind` says which.
    OWN: ("/high", {"slots": 4}),
    LENT: ("/high", {}),
}
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with (
        pytest.MonkeyPatch.context() as patched,
        everything_behind(tmp_path_factory.mktemp("behind")) as made,
        loopback_redis() as own_port,
        loopback_redis() as lending_port,
    ):
        # A Go that is repeated would bring back a slot that the borrower has kept by mistake.
        patched.setattr(own_slots, "GO_AGAIN_SECONDS", 600.0)
        WAYS[OWN][1]["redis_port"], WAYS[LENT][1]["redis_port"] = own_port, lending_port
        with served(made.app(slots=4, redis_port=lending_port)):
            yield made


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that a task was made for."""
    made: list[str] = []
    run_in_task: Callable[..., None] = HttpProtocol._run_in_task

    def counted(self: HttpProtocol, cycle: Any, app: Any) -> None:
        made.append(cycle.scope["path"])
        run_in_task(self, cycle, app)

    monkeypatch.setattr(HttpProtocol, "_run_in_task", counted)
    return made


def all_last_events(app: GatewayApp) -> list[Any]:
    """The last events of all requests, as they come."""
    seen: list[Any] = []
    for kind in LAST:
        app.events.subscribe(kind, seen.append)
    return seen


def warm(client: httpx.Client, path: str, tasks: list[str]) -> None:
    """Make the connections that are kept: the first request waits for one, and needs a task for that."""
    assert client.get(path).status_code == 200
    tasks.clear()


@each_way
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "OPTIONS"])
def test_a_small_response(behind: Behind, tasks: list[str], way: str, method: str) -> None:
    """No task is made for it, whatever the method."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client:
        warm(client, path, tasks)
        response = client.request(method, f"{path}?mock_status=404")
        assert response.status_code == 404
        assert tasks == []


@each_way
@pytest.mark.parametrize("knob", ["mock_size=300000", "mock_size=20&mock_bandwidth=100"])
def test_a_large_or_slow_response(behind: Behind, tasks: list[str], way: str, knob: str) -> None:
    """It is whole, and a task has sent it."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client:
        warm(client, path, tasks)
        response = client.get(f"{path}?{knob}")
        assert (response.status_code, len(response.content)) == (200, int(knob.split("=")[1].split("&")[0]))
        assert tasks == [path]


@each_way
def test_its_events_come_in_order(behind: Behind, tasks: list[str], way: str) -> None:
    """It is received, queued if it is, and answered, each once; so it is with a task."""
    path, settings = WAYS[way]
    app = behind.app(**settings)
    with served(app) as client:
        warm(client, path, tasks)
        seen = all_last_events(app)
        for kind in (Received, Queued):
            app.events.subscribe(kind, seen.append)
        client.get(path)
        client.get(f"{path}?mock_size=300000")
        wait_until("both have ended", lambda: [type(event) for event in seen].count(Answered) == 2)
    queued = [] if way == "past the queue" else [Queued]
    assert [type(event) for event in seen] == [Received, *queued, Answered] * 2


@each_way
def test_a_body_needs_a_task(behind: Behind, tasks: list[str], way: str) -> None:
    """A request with a body is answered by a task."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client:
        warm(client, path, tasks)
        assert client.post(path, content=b"x").json()["body"] == "x"
        assert tasks == [path]


@pytest.mark.parametrize("way", ["past the queue", OWN])
def test_a_target_that_refuses(behind: Behind, way: str) -> None:
    """The client gets the error that it gets from a task, and the request has one last event."""
    path, settings = WAYS[way]
    app = behind.app(target_base_url=f"http://127.0.0.1:{free_port()}", **settings)
    seen = all_last_events(app)
    with served(app) as client:
        response = client.get(path)
        assert (response.status_code, problem_of(response)["type"]) == (502, "urn:fast-priority:target-refused")
    assert [type(event) for event in seen] == [Failed]


@each_way
def test_a_target_that_closes(behind: Behind, way: str) -> None:
    """A GET on a connection that breaks off is sent once more; then the client gets the error."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client:
        assert client.get(path).status_code == 200
        behind.saw()
        response = client.get(f"{path}?mock_fault=empty")
        assert (response.status_code, problem_of(response)["type"]) == (502, "urn:fast-priority:target-closed")
        assert behind.saw() == [path, path]


@pytest.mark.parametrize("way", [OWN, LENT])
@pytest.mark.parametrize("knob", ["mock_size=20000", "mock_fault=empty", "mock_fault=garbage"])
def test_a_response_that_cannot_be_used_keeps_no_slot(behind: Behind, way: str, knob: str) -> None:
    """The slot is free when the client has an error in place of the response, whosever the slot is."""
    path, settings = WAYS[way]
    with (
        served(behind.app(max_body=10_000, **settings)) as client,
        Redis(port=settings["redis_port"]) as redis,
    ):
        warm(client, path, [])
        assert client.get(f"{path}?{knob}").status_code == 502
        wait_until("no slot is taken", lambda: not redis.zcard(keys.started("high")))


@each_way
def test_a_client_that_leaves(behind: Behind, tasks: list[str], way: str) -> None:
    """The call to the target ends, the slot is free, and its last event says so. No task was needed."""
    path, settings = WAYS[way]
    app = behind.app(**settings)
    seen = all_last_events(app)
    with served(app) as client:
        warm(client, path, tasks)
        seen.clear()
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{path}?mock_latency=30", timeout=0.3)
        wait_until("the call has ended", lambda: behind.stack.in_flight() == 0)
        wait_until("the client has left", lambda: [type(one) for one in seen] == [Left])
        assert tasks == []
        assert client.get(path).status_code == 200
        assert type(seen[-1]) is Answered


@each_way
def test_requests_on_one_connection(behind: Behind, way: str) -> None:
    """Requests that come together on one connection are answered in their order."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client:
        warm(client, path, [])
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=30) as connection:
            asked = [f"GET {path}?mock_status={status} HTTP/1.1\r\nHost: x\r\n\r\n" for status in (201, 404, 203)]
            asked.append(f"GET {path}?mock_status=204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            connection.sendall("".join(asked).encode())
            received = b""
            while piece := connection.recv(65536):
                received += piece
        statuses = re.findall(rb"HTTP/1.1 (\d{3}) ", received)
        assert statuses == [b"201", b"404", b"203", b"204"]


class Counting(GatewayApp):
    """A gateway whose `__call__` a user has extended."""

    calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += scope["type"] == "http"
        await super().__call__(scope, receive, send)


def test_an_application_that_was_extended_sees_each_request(behind: Behind) -> None:
    """A subclass that overrides `__call__` is not passed by."""
    app = behind.app()
    app.__class__ = Counting
    with served(app) as client:
        for _ in range(3):
            assert client.get("/direct").status_code == 200
    assert isinstance(app, Counting)
    assert app.calls == 3


@each_way
def test_nothing_of_a_request_is_kept(behind: Behind, way: str) -> None:
    """However a request ends, no reference cycle keeps it, or its connection."""
    path, settings = WAYS[way]
    with served(behind.app(**settings)) as client, without_collector():
        for knob in ("", "?mock_size=300000", "?mock_status=204", "?mock_fault=empty"):
            client.get(f"{path}{knob}")
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"{path}?mock_latency=30", timeout=0.3)
        wait_until("the call has ended", lambda: behind.stack.in_flight() == 0)
        client.get(path)
        client.close()

        def kept() -> list[Any]:
            return [one for one in gc.get_objects() if type(one) in (QuickRequest, RequestResponseCycle, HttpProtocol)]

        wait_until("none is kept", lambda: not kept(), 10)
