"""What every response says: where the time of its request went, and the name of the request."""

import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness import problem_of, scripted_target, sent_fields
from tests.integration.gateway.embedding_rig import Behind, everything_behind, served
from tests.redis_servers import loopback_redis

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "workers": ("/high", {}),
    "past the queue": ("/direct", {}),
    "its own slots": ("/high", {"slots": 4}),
    "the slots of another gateway": ("/high", {}),  # on a Redis of their own: `behind` says which
}
NEW_ID = re.compile(r"[0-9a-f]{32}")
PART = re.compile(r"(\w+);dur=(\d+\.\d)")
INSANE = ["x" * 129, "a b", 'a"b', "a,b", "a;b", "it's"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with everything_behind(tmp_path_factory.mktemp("behind")) as made, loopback_redis() as port:
        _, settings = WAYS["the slots of another gateway"]
        settings["redis_port"] = port
        with served(made.app(slots=4, redis_port=port)):
            yield made


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, behind: Behind) -> Iterator[tuple[str, httpx.Client]]:
    """A path, and a client of a gateway that forwards it in this way."""
    path, settings = WAYS[request.param]
    with served(behind.app(**settings)) as client:
        client.get(path)  # the first request waits for connections, and has a task for that
        yield path, client


def said(response: httpx.Response) -> dict[str, float]:
    """Return the parts of the gateway's Server-Timing, in milliseconds."""
    lines = response.headers.get_list("server-timing")
    return {part: float(duration) for part, duration in PART.findall(lines[-1])} if lines else {}


@pytest.mark.parametrize("knobs", ["mock_latency=0.2", "mock_latency=0.2&mock_size=300000"])
def test_where_the_time_went(way: tuple[str, httpx.Client], knobs: str) -> None:
    """The target's time is in `target`, for small and large responses, and nothing waits for it in `queue`."""
    path, client = way
    parts = said(client.get(f"{path}?{knobs}"))
    assert set(parts) == ({"target"} if path == "/direct" else {"queue", "target"})
    assert parts["target"] >= 200


def test_the_end_of_the_body_does_not_count(way: tuple[str, httpx.Client]) -> None:
    """`target` ends with the head of the response: a body that comes for a second adds nothing."""
    path, client = way
    with client.stream("GET", f"{path}?mock_size=20&mock_dribble=3,1.5") as response:
        parts, head_at = said(response), time.monotonic()
        assert len(response.read()) == 20
    body_milliseconds = (time.monotonic() - head_at) * 1000
    assert parts["target"] <= response.elapsed.total_seconds() * 1000 - body_milliseconds


def test_a_field_of_the_target_stays(way: tuple[str, httpx.Client]) -> None:
    """The target's own Server-Timing is a line of its own, unchanged, before that of the gateway."""
    path, client = way
    lines = client.get(f"{path}?mock_fields=Server-Timing: db;dur=53").headers.get_list("server-timing")
    assert lines[0] == "db;dur=53"
    assert [name for name, _ in PART.findall(lines[1])] == (["target"] if path == "/direct" else ["queue", "target"])


@pytest.mark.parametrize("knobs", ["", "?mock_size=300000", "?mock_status=404"])
def test_a_request_without_a_name_gets_one(way: tuple[str, httpx.Client], knobs: str) -> None:
    """Target and client get the same new name, and each request another one."""
    path, client = way
    responses = [client.get(path + knobs) for _ in range(2)]
    names = [response.headers["x-request-id"] for response in responses]
    assert all(map(NEW_ID.fullmatch, names))
    assert len(set(names)) == 2
    if not knobs:
        assert [dict(sent_fields(response))["x-request-id"] for response in responses] == names


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_name_that_the_client_gave(way: tuple[str, httpx.Client], method: str) -> None:
    """A sane name goes to the target, once, and is in the response."""
    path, client = way
    response = client.request(method, path, headers={"X-Request-ID": "order-7.a"})
    assert response.headers.get_list("x-request-id") == ["order-7.a"]
    assert [value for name, value in sent_fields(response) if name == "x-request-id"] == ["order-7.a"]


@pytest.mark.parametrize("given", [[one] for one in INSANE] + [["one", "two"]])
def test_a_name_that_is_not_sane(way: tuple[str, httpx.Client], given: list[str]) -> None:
    """It is replaced by a new one; it does not reach the target."""
    path, client = way
    response = client.get(path, headers=[("x-request-id", one) for one in given])
    (name,) = response.headers.get_list("x-request-id")
    assert NEW_ID.fullmatch(name)
    assert [value for field, value in sent_fields(response) if field == "x-request-id"] == [name]


def test_the_name_in_a_response_of_the_target(way: tuple[str, httpx.Client]) -> None:
    """It wins: the response has it alone."""
    path, client = way
    response = client.get(f"{path}?mock_fields=X-Request-Id: theirs", headers={"x-request-id": "ours"})
    assert response.headers.get_list("x-request-id") == ["theirs"]


def test_traces_go_on(way: tuple[str, httpx.Client]) -> None:
    """The fields of W3C Trace Context reach the target as they are, also invalid ones."""
    path, client = way
    given = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1,b=2"}
    assert given.items() <= dict(sent_fields(client.get(path, headers=given))).items()
    assert dict(sent_fields(client.get(path, headers={"traceparent": "zz"})))["traceparent"] == "zz"


@pytest.mark.parametrize(("path", "slots"), [("/high", 0), ("/high", 1), ("/direct", 0)])
def test_an_error_of_the_gateway(behind: Behind, path: str, slots: int) -> None:
    """Its document and its X-Request-ID have the name, and it says where the time went."""

    def close(connection: socket.socket, _: bytes) -> None:
        connection.close()

    with (
        scripted_target(close) as (port, _),
        served(behind.app(slots=slots, target_base_url=f"http://127.0.0.1:{port}")) as client,
    ):
        response = client.post(path, headers={"x-request-id": "order-7"})
    assert (response.status_code, problem_of(response)["request_id"]) == (502, "order-7")
    assert response.headers.get_list("x-request-id") == ["order-7"]
    assert set(said(response)) >= ({"target"} if path == "/direct" else {"queue"})


def test_a_request_that_waited_in_vain(behind: Behind) -> None:
    """The 503 says that all of the time was spent in the queue."""
    with loopback_redis() as port, served(behind.app(redis_port=port, ttl=1)) as client:
        response = client.get("/high")
    assert (response.status_code, set(said(response))) == (503, {"queue"})
    assert said(response)["queue"] >= 1000
    assert problem_of(response)["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"]
)
def test_an_error_before_there_is_a_request(behind: Behind, sent: bytes) -> None:
    """What cannot be read has a new name, in the document and in the field, and took no time anywhere."""
    with served(behind.app()) as client, socket.create_connection((client.base_url.host, client.base_url.port)) as one:
        one.settimeout(30)
        one.sendall(sent)
        received = b""
        while chunk := one.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    (name,) = re.findall(rb"x-request-id: ([0-9a-f]{32})", head)
    assert b'"request_id": "%b"' % name in body
    assert b"server-timing" not in head


@pytest.mark.parametrize("server", ["ours", "uvicorn"])
def test_it_can_be_turned_off(behind: Behind, server: str) -> None:
    """FAST_PRIORITY_SERVER_TIMING=off: the target's own is left alone, and requests still have names."""
    with served(behind.app(server_timing=False, slots=1), server) as client:
        for path in ("/high", "/direct"):
            response = client.get(f"{path}?mock_fields=Server-Timing: db")
            assert response.headers.get_list("server-timing") == ["db"]
            assert NEW_ID.fullmatch(response.headers["x-request-id"])


def test_under_another_server(behind: Behind) -> None:
    """It is the same there, where responses go in messages."""
    with served(behind.app(slots=1), "uvicorn") as client:
        response = client.get("/high", headers={"x-request-id": "order-7"})
        assert set(said(response)) == {"queue", "target"}
        assert response.headers.get_list("x-request-id") == ["order-7"]
