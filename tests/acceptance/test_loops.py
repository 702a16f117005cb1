"""A target address that leads back to the gateway: the request is answered 508 at once, and keeps no slot."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from fast_priority.local.child_processes import wait_until
from tests.harness import Background, Stack, exchange_bytes, problem_of, running_stack, sent_fields
from tests.redis_servers import loopback_redis

PATHS = ["/queued", "/low/queued", "/direct"]
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
)


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway that is its own target, with two slots."""
    with loopback_redis() as port, running_stack(port, tmp_path_factory.mktemp("loop")) as stack:
        stack.mock_url = stack.url
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers(processes=1, concurrency=2)
        yield stack


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway in front of a mock target."""
    with loopback_redis() as port, running_stack(port, tmp_path_factory.mktemp("straight")) as stack:
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers()
        yield stack


def via_of(stack: Stack) -> str:
    """The gateway's name in Via, as any client can see it."""
    found: str = stack.client.get("/queued").headers["via"].split()[1]
    return found


def is_a_loop(response: httpx.Response) -> bool:
    assert response.headers["proxy-status"].startswith("fast-priority; error=proxy_loop_detected")
    return response.status_code == 508 and problem_of(response)["type"] == "urn:fast-priority:loop-detected"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "TRACE", "PURGE"])
def test_a_loop_is_answered_508(looped: Stack, method: str, path: str) -> None:
    """With any method, on either queue and on pass-through, a request that comes back gets one answer: 508."""
    assert is_a_loop(looped.client.request(method, path, content=b"x" if method == "POST" else None))


@pytest.mark.parametrize("path", PATHS)
def test_a_head_request_in_a_loop(looped: Stack, path: str) -> None:
    """HEAD is answered 508 without a body."""
    response = looped.client.head(path)
    assert (response.status_code, response.content) == (508, b"")


@pytest.mark.parametrize("path", PATHS)
def test_an_upload_in_a_loop(looped: Stack, path: str) -> None:
    """A large body in a loop ends with 508 or 502, or with a closed connection; the next request is answered."""
    pieces = (b"x" * 65536 for _ in range(16))
    with suppress(httpx.HTTPError):
        assert looped.client.put(path, content=pieces).status_code in (502, 508)
    assert is_a_loop(looped.client.get(path))


def test_max_forwards_is_not_used_up(looped: Stack) -> None:
    """OPTIONS with Max-Forwards 10 in a loop is 508 after the first round, and not answered in the tenth."""
    assert is_a_loop(looped.client.options("/queued", headers={"max-forwards": "10"}))


def test_a_websocket_in_a_loop(looped: Stack) -> None:
    """A handshake that comes back is declined with 508."""
    answer = exchange_bytes(looped.gateway_port, HANDSHAKE % b"")
    assert answer.startswith(b"HTTP/1.1 508 ")
    assert b"error=proxy_loop_detected" in answer


def test_a_loop_leaves_all_slots_free(looped: Stack) -> None:
    """Many more requests than slots, all in the loop, all get 508, and leave nothing behind."""
    with Background(20) as background:
        sent = [background.send(lambda: looped.client.get("/queued")) for _ in range(60)]
        assert all(is_a_loop(one.result()) for one in sent)
    wait_until("nothing waits and nothing is under way", lambda: looped.queued() == looped.health()["in_flight"] == 0)


def test_a_loop_by_way_of_another_replica(tmp_path: Path, redis_port: int) -> None:
    """Two gateways on one Redis that are each other's targets are one deployment: 508 in the first round."""
    with running_stack(redis_port, tmp_path) as one, running_stack(redis_port, tmp_path) as other:
        one.mock_url, other.mock_url = other.url, one.url
        one.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        other.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        one.start_workers()

        def rounds() -> int:
            return len(one.client.get("/direct").headers.get_list("via"))

        wait_until("they have agreed on a name", lambda: rounds() == 1)
        assert is_a_loop(one.client.get("/queued"))
        assert is_a_loop(other.client.get("/direct"))


def test_two_deployments_in_a_row(straight: Stack, tmp_path: Path) -> None:
    """A gateway whose target is a gateway with another Redis forwards requests, and Via names both."""
    with loopback_redis() as port, running_stack(port, tmp_path) as outer:
        outer.mock_url = straight.url
        outer.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        outer.start_workers()
        for path in PATHS:
            response = outer.client.get(path)
            names = [value.split()[1] for name, value in sent_fields(response) if name == "via"]
            assert response.status_code == 200
            assert len(set(names)) == 2
            assert [via.split()[1] for via in response.headers.get_list("via")] == names[::-1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "spell", ["1.1 {}", "1.0 {}:80 (a, b)", "1.1 other, HTTP/1.1 {}", "1.1 other (never closed, 1.1 {}"]
)
def test_a_client_that_says_it_came_by_us(straight: Stack, path: str, spell: str) -> None:
    """A request whose client writes our name into Via is refused, and does not reach the target."""
    name = via_of(straight)
    straight.forget_arrivals()
    for spelled in (name, name.upper()):
        assert is_a_loop(straight.client.get(path, headers={"via": spell.format(spelled)}))
    assert straight.arrivals() == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("spell", ["1.1 fast-priority", "1.1 {}0", "1.1 x{}", "1.1 y (1.1 {})", "{}", "1.1 (", "\\"])
def test_other_names_pass(straight: Stack, path: str, spell: str) -> None:
    """Names similar to ours, and values that are no valid Via, are forwarded unchanged."""
    via = spell.format(via_of(straight))
    response = straight.client.get(path, headers={"via": via})
    assert response.status_code == 200
    assert ("via", via) in sent_fields(response)


def test_a_handshake_that_says_it_came_by_us(straight: Stack) -> None:
    """A handshake with our name in Via is declined before the target is asked."""
    straight.forget_arrivals()
    name = via_of(straight).encode()
    straight.forget_arrivals()
    answer = exchange_bytes(straight.gateway_port, HANDSHAKE % (b"Via: 1.1 %b\r\n" % name))
    assert answer.startswith(b"HTTP/1.1 508 ")
    assert straight.arrivals() == []
