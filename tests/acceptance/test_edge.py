"""What the HTTP server passes to the gateway, as clients and target see it."""

import socket

import pytest

from tests.harness import Stack, exchange_bytes, problem_of, scripted_target

PATHS = ["/queued", "/direct"]
LAST = b"Host: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("given", [b"", b"Content-Length: 1234\r\n"])
@pytest.mark.parametrize("path", PATHS)
def test_a_304_has_the_length_that_the_target_gave(stack: Stack, path: str, given: bytes) -> None:
    """A 304 has the Content-Length of the target, or none, and no bytes follow."""

    def not_modified(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n" + given + b"\r\n")

    with scripted_target(not_modified) as (port, _):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers()
        answer = exchange_bytes(stack.gateway_port, f"GET {path} HTTP/1.1\r\n".encode() + LAST)
    assert answer.startswith(b"HTTP/1.1 304 ")
    assert answer.endswith(b"\r\n\r\n")
    assert (b"content-length" in answer) == bool(given)
    assert given.lower() in answer


@pytest.mark.parametrize("path", PATHS)
def test_a_whole_url_reaches_the_target_only(lasting_stack: Stack, path: str) -> None:
    """A request line with another host is forwarded to the same path of this target."""
    line = f"GET http://other.example{path}?a=1 HTTP/1.1\r\n".encode()
    answer = exchange_bytes(lasting_stack.gateway_port, line + LAST)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert f'"path":"{path}"'.encode() in answer.replace(b'": "', b'":"')


def test_what_is_too_large_goes_nowhere(lasting_stack: Stack) -> None:
    """A head over the limits gets the gateway's own answer, and the target sees nothing of it."""
    lasting_stack.forget_arrivals()
    response = lasting_stack.client.get("/queued", headers={"x-large": "a" * 70_000})
    assert response.status_code == 431
    assert problem_of(response)["fault"] == "client"
    assert lasting_stack.arrivals() == []


CLIMBING = [
    b"/../secret",
    b"/..%2fsecret",
    b"/x/../../secret",
    b"/%2e%2e/secret",
    b"/..;a=1/secret",
    b"/..%5csecret",
    b"/direct/../../secret",
]
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + KEY


def test_what_climbs_above_the_base_url_goes_nowhere(stack: Stack) -> None:
    """A path above the one of the base URL is answered 400: queued, on pass-through, and for a WebSocket."""

    def found(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with scripted_target(found) as (port, heads):
        stack.mock_url = f"http://127.0.0.1:{port}/v1"
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct,%2e%2e/secret,../secret")
        stack.start_workers()
        for target in CLIMBING:
            for fields in (b"", UPGRADE):
                answer = exchange_bytes(stack.gateway_port, b"GET %s HTTP/1.1\r\n" % target + fields + LAST)
                assert answer.startswith(b"HTTP/1.1 400 "), (target, fields)
                assert b"malformed-request" in answer
        assert heads == []
        for target in (b"/direct", b"/x/../y", b"/x?a=/../.."):
            answer = exchange_bytes(stack.gateway_port, b"GET %s HTTP/1.1\r\n" % target + LAST)
            assert answer.startswith(b"HTTP/1.1 200 ")
        assert [head.split()[1] for head in heads] == [b"/v1/direct", b"/v1/x/../y", b"/v1/x?a=/../.."]


def test_nothing_is_above_a_base_url_without_a_path(stack: Stack) -> None:
    """Without a path in the base URL, dot segments arrive as they were sent."""

    def found(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with scripted_target(found) as (port, heads):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway()
        stack.start_workers()
        for target in CLIMBING:
            exchange_bytes(stack.gateway_port, b"GET %s HTTP/1.1\r\n" % target + LAST)
        assert [head.split()[1] for head in heads] == CLIMBING


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_is_queued_for_other_methods(stack: Stack, path: str) -> None:
    """GET and HEAD of the target's documentation need no worker; every other method does."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TTL="1", FAST_PRIORITY_PASS_THROUGH="version")
    statuses = {method: stack.client.request(method, path).status_code for method in ("GET", "HEAD", "POST", "DELETE")}
    assert statuses == {"GET": 200, "HEAD": 200, "POST": 503, "DELETE": 503}
    assert stack.client.post("/version").status_code == 200
