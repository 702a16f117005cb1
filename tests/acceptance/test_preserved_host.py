"""FAST_PRIORITY_PRESERVE_HOST: the target gets the client's Host, on every way to it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.harness import Stack, exchange_bytes, scripted_target, sent_fields

ON = {"FAST_PRIORITY_PRESERVE_HOST": "on", "FAST_PRIORITY_PASS_THROUGH": "direct"}
HANDSHAKE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n"
PATHS = ["/queued", "/direct"]
WORKERS: dict[str, Callable[[Stack], object]] = {
    "priority": Stack.start_workers,
    "stock": Stack.start_stock_worker,
}
LARGE = 300_000

each_worker = pytest.mark.parametrize("worker", WORKERS)


def asked(stack: Stack, head: str, body: bytes = b"") -> list[tuple[str, str]]:
    """Send a request byte for byte; return the fields that the target received."""
    answer = exchange_bytes(stack.gateway_port, head.encode() + body)
    return sent_fields(httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2]))


def values(fields: list[tuple[str, str]], name: str) -> list[str]:
    return [value for found, value in fields if found == name]


@contextmanager
def redirecting_target(stack: Stack) -> Iterator[list[bytes]]:
    """Run a target that answers with a redirect to its own address; yield the heads that it received."""

    def answer(connection: socket.socket, head: bytes) -> None:
        location = f"{stack.mock_url}/x/"
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())

    with scripted_target(answer) as (port, heads):
        stack.mock_url = f"http://127.0.0.1:{port}"
        yield heads


@each_worker
def test_the_target_gets_the_clients_host(stack: Stack, worker: str) -> None:
    """The target gets the client's Host unchanged, once, from each kind of worker and on pass-through."""
    stack.start_mock()
    stack.start_gateway(**ON)
    WORKERS[worker](stack)
    for path in PATHS:
        fields = asked(stack, f"GET {path} HTTP/1.1\r\nHoSt: Api.Example:99\r\nConnection: close, host\r\n\r\n")
        assert values(fields, "host") == ["Api.Example:99"]
        assert values(fields, "x-forwarded-host") == ["Api.Example:99"]


@each_worker
def test_a_large_upload_has_it_too(stack: Stack, worker: str) -> None:
    """A request whose body is streamed has the client's Host as well."""
    stack.start_mock()
    stack.start_gateway(**ON)
    WORKERS[worker](stack)
    for path in PATHS:
        head = f"POST {path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {LARGE}\r\nConnection: close\r\n\r\n"
        assert values(asked(stack, head, b"x" * LARGE), "host") == ["a.example"]


def test_a_request_without_host(stack: Stack) -> None:
    """A request of HTTP/1.0 without Host reaches the target with the target's own."""
    stack.start_mock()
    stack.start_gateway(**ON)
    stack.start_workers()
    for path in PATHS:
        assert values(asked(stack, f"GET {path} HTTP/1.0\r\n\r\n"), "host") == [f"127.0.0.1:{stack.mock_port}"]


def test_the_host_of_an_absolute_url(stack: Stack) -> None:
    """If the request line has a whole URL, its host is the client's Host (RFC 9112, section 3.2.2)."""
    stack.start_mock()
    stack.start_gateway(**ON)
    stack.start_workers()
    for path in PATHS:
        head = f"GET http://a.example:99{path} HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n"
        assert values(asked(stack, head), "host") == ["a.example:99"]


@each_worker
def test_a_handshake_has_it_too(stack: Stack, worker: str) -> None:
    """The handshake of a WebSocket has the client's Host, so that the target can compare Origin with it."""
    with redirecting_target(stack) as heads:
        stack.start_gateway(**ON)
        WORKERS[worker](stack)
        for path in PATHS:
            head = f"GET {path} HTTP/1.1\r\nHost: a.example:99\r\nOrigin: http://a.example:99\r\n{HANDSHAKE}\r\n"
            with socket.create_connection(("127.0.0.1", stack.gateway_port), timeout=30) as client:
                client.sendall(head.encode())
                assert client.recv(1024).startswith(b"HTTP/1.1 302")
        assert [head.count(b"\r\nHost: a.example:99\r\n") for head in heads] == [1, 1]
        assert all(head.lower().count(b"\r\nhost:") == 1 for head in heads)


def test_a_location_is_kept(stack: Stack) -> None:
    """The target knows the address of the gateway, so its Location is kept: it may be another server on purpose."""
    with redirecting_target(stack):
        stack.start_gateway(**ON)
        stack.start_workers()
        for path in PATHS:
            assert stack.client.get(path).headers["location"] == f"{stack.mock_url}/x/"


@pytest.mark.parametrize("path", PATHS)
def test_without_the_setting(lasting_stack: Stack, path: str) -> None:
    """By default the target gets its own Host."""
    fields = asked(lasting_stack, f"GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
    assert values(fields, "host") == [f"127.0.0.1:{lasting_stack.mock_port}"]
