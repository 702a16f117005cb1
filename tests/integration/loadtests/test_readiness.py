"""A check waits for what is not there yet, and says at once if what is there is something else."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fast_priority.local.free_ports import free_port
from loadtests.clients import (
    MockTargetError,
    read_arrivals,
    wait_until_forwards,
    wait_until_mock_target,
    wait_until_responds,
)
from tests.harness import scripted_target

# So long that a test would never end if it was waited for.
LONG_SECONDS = 10_000.0


def nothing_said(sentence: str) -> None:
    raise AssertionError(sentence)


@contextmanager
def server(*responses: bytes) -> Iterator[str]:
    """Run a server that gives these responses in turn, the last one again and again; yield its base URL."""
    left = list(responses)

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])
        connection.close()

    with scripted_target(answer) as (port, _):
        yield f"http://127.0.0.1:{port}"


def response(status: str, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


LOG = response("200 OK", b'{"arrivals": [], "dropped": 0, "max_in_flight": 0}')


@pytest.mark.parametrize(
    "other", [response("404 Not Found"), response("401 Unauthorized"), response("200 OK", b"{}"), response("200 OK")]
)
def test_another_api_than_the_mock_target_is_named_at_once(other: bytes) -> None:
    """An API that has no arrival log is not waited for, and the error says what to run in its place."""
    with server(other) as url, pytest.raises(MockTargetError) as caught:
        wait_until_mock_target(url, LONG_SECONDS, nothing_said)
    assert str(caught.value).startswith(f"{url} is not the mock target: GET {url}/__admin/arrivals ")
    assert "fast-priority mock-target" in str(caught.value)
    assert "loadtest judge" in str(caught.value)


@pytest.mark.parametrize("not_ready", ["503 Service Unavailable", "502 Bad Gateway", "429 Too Many Requests"])
def test_a_target_that_is_not_ready_is_waited_for(not_ready: str) -> None:
    """A response that says "not yet" is said once, and the wait goes on."""
    said: list[str] = []
    with server(response(not_ready), response(not_ready), LOG) as url:
        wait_until_mock_target(url, LONG_SECONDS, said.append)
    (sentence,) = said
    assert f"GET {url}/__admin/arrivals returns {not_ready}" in sentence


@pytest.mark.parametrize("wait", [wait_until_mock_target, wait_until_responds])
def test_a_dead_address_is_said_while_it_is_waited_for(wait: Callable[..., None]) -> None:
    """Where nothing listens, the wait has an end, and the reason is said before it."""
    said: list[str] = []
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(MockTargetError, match=r"^waited 0\.2 s: GET .* failed: .*Connection refused$"):
        wait(url, 0.2, said.append)
    assert "Connection refused" in said[0]


@pytest.mark.parametrize(
    "url", ["gateway:80", "gateway", "http://", "http://[::1", "http://gateway:port", "http://gate way", "http://g/ä"]
)
def test_an_invalid_url_is_refused_at_once(url: str) -> None:
    """An invalid URL is an error that names it, without waiting."""
    with pytest.raises(MockTargetError) as caught:
        wait_until_responds(url, LONG_SECONDS, nothing_said)
    assert str(caught.value) == f"{url!r} is not a base URL; write one like http://localhost:8000"


def test_a_gateway_that_forwards_to_the_mock_target_is_ready(target: str) -> None:
    """A request that arrives at the target with its id shows that gateway and target belong together."""
    wait_until_forwards(target, "/high", "--high-path", target, LONG_SECONDS, nothing_said)
    assert [arrival.request_id for arrival in read_arrivals(target).arrivals][-1].startswith("ready-")


def test_a_gateway_in_front_of_something_else_is_named_at_once(target: str) -> None:
    """A gateway that answers, but not with the mock target, is an error that names both."""
    with server(response("200 OK")) as url, pytest.raises(MockTargetError) as caught:
        wait_until_forwards(url, "/high", "--high-path", target, LONG_SECONDS, nothing_said)
    assert f"did not reach the mock target at {target}" in str(caught.value)
    assert url in str(caught.value)


@pytest.mark.parametrize("refusal", ["404 Not Found", "401 Unauthorized", "400 Bad Request"])
def test_a_path_that_the_gateway_refuses_is_named_at_once(target: str, refusal: str) -> None:
    """The error has the response and the option that names another path."""
    with server(response(refusal)) as url, pytest.raises(MockTargetError) as caught:
        wait_until_forwards(url, "/low", "--low-path", target, LONG_SECONDS, nothing_said)
    assert str(caught.value).startswith(f"GET {url}/low returns {refusal}: name a path with --low-path")


def test_any_response_shows_that_a_gateway_is_there() -> None:
    """Without the mock target, a gateway may answer as its API does."""
    with server(response("404 Not Found")) as url:
        wait_until_responds(f"{url}/high", LONG_SECONDS, nothing_said)
