"""What the server's edge gives to the gateway, seen from both ends of it."""

import socket

import pytest

from tests.harness import Stack, exchange_bytes, problem_of, scripted_target

PATHS = ["/queued", "/direct"]
LAST = b"Host: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("given", [b"", b"Content-Length: 1234\r\n"])
@pytest.mark.parametrize("path", PATHS)
def test_a_304_has_the_length_that_the_target_gave(stack: Stack, path: str, given: bytes) -> None:
    """The Content-Length of a 304 is the target's, or there is none, and no bytes follow."""

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
    """A request line that names another host is about a path of this target."""
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
