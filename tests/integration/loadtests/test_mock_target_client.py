"""What a load test asks the mock target, and what it says when there is no answer."""

import socket
import threading

import httpx
import pytest

from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from loadtests.clients import MockTargetError, read_arrivals, read_settled_arrivals, reset_arrivals
from tests.harness import scripted_target


def send(target: str, request_id: str | None, latency: str = "0") -> None:
    fields = {"X-Mock-Latency": latency} | ({} if request_id is None else {"X-Request-ID": request_id})
    httpx.get(f"{target}/low", headers=fields, trust_env=False)


def test_arrivals_are_read_since_the_reset(target: str) -> None:
    """The log holds what has arrived since it was reset, without requests that have no id."""
    send(target, "before")
    reset_arrivals(target)
    for request_id in ("first", None, "second"):
        send(target, request_id)
    log = read_arrivals(target)
    assert [arrival.request_id for arrival in log.arrivals] == ["first", "second"]
    assert (log.dropped, log.max_in_flight) == (0, 1)


def test_settled_arrivals_are_finished(target: str) -> None:
    """What is in flight is waited for, so that each arrival has its end."""
    reset_arrivals(target)
    sender = threading.Thread(target=send, args=(target, "slow", "0.5"))
    sender.start()
    wait_until("the request is in flight", lambda: bool(read_arrivals(target).arrivals))
    assert [arrival.finished_at is not None for arrival in read_settled_arrivals(target).arrivals] == [True]
    sender.join()


def test_proxy_of_the_environment_is_not_used(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests between the parts of a test ignore proxy variables."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    reset_arrivals(target)


def test_a_server_that_does_not_respond_is_named() -> None:
    """Where nothing listens, the error is one sentence with the method, the URL and the reason."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(MockTargetError, match=f"^DELETE {url}/__admin/arrivals failed: .*Connection refused$"):
        reset_arrivals(url)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "does not return the arrival log of the mock target"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "does not return the arrival log of the mock target"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "returns 404 Not Found"),
        (b"no HTTP\r\n\r\n", "failed: "),
    ],
)
def test_another_server_than_the_mock_target_is_named(head: bytes, said: str) -> None:
    """A response that is not an arrival log is an error of one sentence that names the server."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        connection.close()

    with scripted_target(answer) as (port, _), pytest.raises(MockTargetError) as caught:
        read_arrivals(f"http://127.0.0.1:{port}")
    assert str(caught.value).startswith(f"GET http://127.0.0.1:{port}/__admin/arrivals {said}")
    assert "\n" not in str(caught.value).strip()
