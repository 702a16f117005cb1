"""A handshake at the target: its slot, its second attempt, and that it leaves nothing in memory."""

import gc
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from fast_priority.errors import NotSent, RequestCancelled, RequestLost
from fast_priority.gateway.queues import Outcome
from fast_priority.http.message import Reply
from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from fast_priority.support.byte_stream import ByteStream
from fast_priority.target import Declined
from fast_priority.target.connection import TargetConnection
from tests.harness import scripted_target, without_collector
from tests.integration.gateway.websocket_rig import (
    HANDSHAKE,
    SWITCH,
    RawTarget,
    Slots,
    is_told_of_a_reset,
    raw_target,
    reset,
    tunnelled,
)
from tests.integration.server.protocol_rig import connected, read_through, read_to_the_end

DECLINE = b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n!?"
MORE_THAN_BUFFERS_HOLD = 64 * 1024 * 1024


class Asked:
    """A client that has asked for a WebSocket, its target, and the slots."""

    def __init__(self, client: socket.socket, target: RawTarget, slots: Slots, port: int) -> None:
        self.client = client
        self.target = target
        self.slots = slots
        self.port = port

    def status(self) -> bytes:
        return read_through(self.client, b"\r\n\r\n").split(b" ")[1]

    def target_has_a_reset(self) -> None:
        with pytest.raises(ConnectionResetError):
            read_to_the_end(self.target.connection)

    def until_no_slot_is_held(self) -> None:
        wait_until("no slot is held", lambda: not self.slots.held)


@contextmanager
def asked(**options: object) -> Iterator[Asked]:
    """Yield one, whose request has been sent."""
    slots = Slots()
    with (
        raw_target() as target,
        tunnelled(target.port, slots=slots, **options) as port,  # type: ignore[arg-type]
        connected(port) as client,
    ):
        client.sendall(HANDSHAKE)
        yield Asked(client, target, slots, port)


def test_a_slot_is_held_until_the_101() -> None:
    """The slot is taken until the target has answered 101; then it is free."""
    with asked() as one:
        one.target.accept(b"")
        assert len(one.slots.held) == 1
        one.target.connection.sendall(SWITCH)
        assert one.status() == b"101"
        one.until_no_slot_is_held()


def test_a_slot_is_held_until_a_response_has_ended() -> None:
    """A response that declines holds the slot while it lasts."""
    with asked() as one:
        one.target.accept(DECLINE[:-1])
        assert read_through(one.client, b"!").startswith(b"HTTP/1.1 404 ")
        assert len(one.slots.held) == 1
        one.target.connection.sendall(b"?")
        read_through(one.client, b"?")
        one.until_no_slot_is_held()


def test_what_is_passed_through_takes_no_slot() -> None:
    """A handshake on a pass-through path needs no slot."""
    with asked(pass_through="chat") as one:
        one.target.accept(DECLINE)
        assert one.status() == b"404"
        assert one.slots.attempts == []


def close_it(one: Asked) -> None:
    one.target.connection.close()


def reset_it(one: Asked) -> None:
    reset(one.target.connection)


def lose_slot(one: Asked) -> None:
    one.slots.lose(RequestLost("its worker died"))


def find_worker_late(one: Asked) -> None:
    one.slots.lose(NotSent("its worker was away"))


@pytest.mark.parametrize("end", [close_it, reset_it, lose_slot, find_worker_late])
@pytest.mark.parametrize("answer", [SWITCH, DECLINE], ids=["agreed", "declined"])
def test_a_failed_handshake_is_tried_once_more(end: Callable[[Asked], None], answer: bytes) -> None:
    """If the target closes, or the slot is lost, before a response, the second attempt goes in front of the queue."""
    with asked() as one:
        one.target.accept(b"")
        end(one)
        one.target.accept(answer)
        assert one.status() == answer.split(b" ")[1]
        assert one.slots.attempts == [1, 2]
        one.until_no_slot_is_held()


@pytest.mark.parametrize("end", [close_it, lose_slot])
def test_there_is_no_third_attempt(end: Callable[[Asked], None]) -> None:
    """After a second failure, the response is a 502."""
    with asked() as one:
        for _ in range(2):
            one.target.accept(b"")
            end(one)
        assert one.status() == b"502"
        assert one.slots.attempts == [1, 2]
        one.until_no_slot_is_held()


def test_a_target_that_is_not_there_is_asked_twice() -> None:
    """A connection that is refused is tried a second time, as for a GET."""
    slots = Slots()
    with tunnelled(free_port(), slots=slots) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        assert b"target-refused" in read_through(client, b"}")
    assert (slots.attempts, slots.held) == ([1, 2], {})


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0\r\n\r\n", SWITCH.replace(b"websocket", b"h2c"), b"HTTP/1.1 99 No\r\n\r\n", DECLINE[:-1]]
)
def test_what_the_target_has_answered_is_not_tried_again(answer: bytes) -> None:
    """After an unusable or incomplete answer there is no second attempt: the target has already acted."""
    with asked() as one:
        one.target.accept(answer)
        one.target.connection.close()
        read_to_the_end(one.client) if answer == DECLINE[:-1] else one.status()
        assert one.slots.attempts == [1]
        one.until_no_slot_is_held()


def test_a_handshake_that_was_cancelled_is_not_tried_again() -> None:
    """If rq's tools cancel its job, the handshake ends at the target and is answered 502."""
    with asked() as one:
        one.target.accept(b"")
        one.slots.lose(RequestCancelled())
        assert one.status() == b"502"
        one.target_has_a_reset()
        assert one.slots.attempts == [1]


def test_a_slot_that_is_lost_breaks_a_response_off() -> None:
    """If the worker is lost after a part of a response was sent on, both connections end, without a second attempt."""
    with asked() as one:
        one.target.accept(DECLINE[:-1])
        read_through(one.client, b"!")
        lose_slot(one)
        one.target_has_a_reset()
        with pytest.raises(AssertionError, match="ended"):
            read_through(one.client, b"?")
        assert one.slots.attempts == [1]


def test_a_slot_that_is_lost_ends_no_tunnel() -> None:
    """After the 101 the tunnel needs no worker."""
    with asked() as one:
        one.target.accept(SWITCH)
        read_through(one.client, b"\r\n\r\n")
        one.until_no_slot_is_held()
        lose_slot(one)
        one.client.sendall(b"still there")
        assert read_through(one.target.connection, b"there") == b"still there"


def test_a_client_that_leaves_frees_the_slot() -> None:
    """A client that leaves during the handshake frees the slot."""
    with asked() as one:
        one.target.accept(b"")
        one.client.close()
        one.target_has_a_reset()
        one.until_no_slot_is_held()


class Answering(Slots):
    """Queues whose workers do not know permits, and send the request to the target as a GET."""

    async def outcome(self, *_: object, **__: object) -> Outcome:
        return Reply(426, [(b"upgrade-to", b"websocket")], b"no")


def test_a_worker_that_knows_no_permits() -> None:
    """A worker of an earlier release sends the request itself; the client gets the response of the target."""
    with tunnelled(free_port(), slots=Answering()) as port, connected(port) as client:
        client.sendall(HANDSHAKE)
        assert read_through(client, b"\r\n\r\nno").startswith(b"HTTP/1.1 426 ")


class Granting(Slots):
    """Queues that answer every request with a permit."""

    async def outcome(self, *_: object, **__: object) -> Outcome:
        return self.permit()


def test_a_permit_for_an_ordinary_request() -> None:
    """With a permit, which a gateway with slots lends, the gateway forwards the request itself, and frees the slot."""
    slots = Granting()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")

    with scripted_target(answer) as (target, _), tunnelled(target, slots=slots) as port, connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_through(client, b"\r\n\r\nhi").startswith(b"HTTP/1.1 200 ")
    assert slots.held == {}


# What a target can do.


@pytest.mark.parametrize(
    ("begin", "again"),
    [(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")],
    ids=["drip", "interim"],
)
def test_a_head_that_does_not_end_is_given_up(begin: bytes, again: bytes) -> None:
    """A target has its timeout for the whole head, however often it sends a piece, and then the slot is free."""
    with asked(timeout_seconds=0.5) as one:
        one.target.accept(begin)
        one.client.settimeout(0.05)
        answer = b""
        while b"504" not in answer:
            with suppress(ConnectionResetError, BrokenPipeError):
                one.target.connection.sendall(again)
            with suppress(TimeoutError):
                answer += one.client.recv(4096)
        one.until_no_slot_is_held()


@pytest.mark.parametrize("field", [b"X-A: a\x01b", b"X-A: a\x1bb"])
@pytest.mark.parametrize("answer", [SWITCH, DECLINE], ids=["agreed", "declined"])
def test_a_field_with_controls_is_not_sent_on(answer: bytes, field: bytes) -> None:
    """A head that cannot be sent to a client is a 502, also with status 101."""
    with asked() as one:
        one.target.accept(answer.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n"))
        assert one.status() == b"502"


@pytest.mark.parametrize(
    ("head", "status"), [(b"Content-Length: 5000", b"502"), (b"Transfer-Encoding: chunked", b"200")]
)
def test_a_response_over_the_limit(head: bytes, status: bytes) -> None:
    """A response that declines has the limit of every queued response."""
    with asked(most_body_bytes=1024) as one:
        one.target.accept(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n1388\r\n" + b"x" * 5000)
        assert one.status() == status
        if status == b"200":
            with pytest.raises(AssertionError, match="ended"):
                read_through(one.client, b"0\r\n\r\n")
        one.until_no_slot_is_held()


def test_a_transfer_coding_that_was_not_asked_for() -> None:
    """A response that declines in a coding that cannot be read is a 502, as for every request."""
    with asked() as one:
        one.target.accept(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
        assert one.status() == b"502"


# The limit.


def test_too_many_at_once() -> None:
    """Handshakes and open tunnels count together for the limit; one more is refused, without slot and target."""
    with asked(most=2) as one, connected(one.port) as second, connected(one.port) as third:
        one.target.accept(SWITCH)
        read_through(one.client, b"\r\n\r\n")
        second.sendall(HANDSHAKE)
        wait_until("the second is under way", lambda: len(one.slots.attempts) == 2)
        third.sendall(HANDSHAKE)
        refused = read_through(third, b"}")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"urn:fast-priority:too-many-tunnels" in refused
        assert len(one.slots.attempts) == 2


@pytest.mark.parametrize(
    "answer", [SWITCH, DECLINE, b"SSH-2.0\r\n\r\n", b""], ids=["tunnel", "declined", "bad", "left"]
)
def test_one_that_has_ended_makes_room(answer: bytes) -> None:
    """However a handshake or a tunnel ends, the next one takes its place."""
    with asked(most=1) as one:
        one.target.accept(answer)
        if answer:
            read_through(one.client, b"\r\n\r\n")
        one.client.close()
        one.target.connection.close()

        def is_let_in() -> bool:
            asked_before = len(one.slots.attempts)
            with connected(one.port) as client:
                client.sendall(HANDSHAKE)
                client.settimeout(0.2)
                with suppress(TimeoutError):
                    client.recv(1)
            return len(one.slots.attempts) > asked_before

        wait_until("there is room", is_let_in)


# A side that reads nothing.


def is_reset_while_it_sends(connection: socket.socket) -> bool:
    """Send more than all buffers hold, and return whether the other side resets the connection meanwhile."""
    try:
        connection.sendall(b"x" * MORE_THAN_BUFFERS_HOLD)
    except (ConnectionResetError, BrokenPipeError):
        return True
    except TimeoutError:
        return False
    return False


def test_a_client_that_takes_nothing_is_given_up() -> None:
    """If a client does not read, both sides are reset, and its data are dropped."""
    with asked(client_timeout_seconds=0.5) as one:
        one.target.accept(SWITCH)
        assert is_reset_while_it_sends(one.target.connection)
        assert is_told_of_a_reset(one.client)


def test_a_client_that_takes_too_little_is_given_up() -> None:
    """A client that reads only a few bytes now and then is reset, too."""
    with asked(client_timeout_seconds=0.5) as one:
        one.target.accept(SWITCH)
        threading.Thread(target=is_reset_while_it_sends, args=(one.target.connection,), daemon=True).start()
        poll = select.poll()
        poll.register(one.client, 0)  # an error is reported without being asked for

        def has_a_reset() -> bool:
            return bool(poll.poll(0)) or not one.client.recv(1)

        wait_until("it is reset", has_a_reset)


def test_a_target_that_takes_nothing_is_given_up() -> None:
    """If a target does not read for its timeout, it and its client are reset."""
    with asked(timeout_seconds=0.5) as one:
        one.target.accept(SWITCH)
        read_through(one.client, b"\r\n\r\n")
        assert is_reset_while_it_sends(one.client)
        assert is_told_of_a_reset(one.target.connection)


def test_an_idle_tunnel_has_no_limit() -> None:
    """A WebSocket on which nothing waits to be read lasts for many times the timeouts of both sides."""
    with asked(client_timeout_seconds=0.1, timeout_seconds=0.1) as one:
        one.target.accept(SWITCH + b"hello")
        read_through(one.client, b"hello")
        with asked(timeout_seconds=1.0) as clock:  # another handshake takes ten times as long
            clock.target.accept(b"")
            assert clock.status() == b"504"
        one.client.sendall(b"still there")
        assert read_through(one.target.connection, b"there") == b"still there"
        one.target.connection.sendall(b"so am I")
        assert read_through(one.client, b"I") == b"so am I"


# What stays in memory.


def declined(one: Asked) -> None:
    one.target.accept(DECLINE)
    read_through(one.client, b"?")


def broken_off(one: Asked) -> None:
    one.target.accept(DECLINE[:-1])
    one.target.connection.close()
    read_to_the_end(one.client)


def closed_twice(one: Asked) -> None:
    for _ in range(2):
        one.target.accept(b"")
        reset(one.target.connection)
    read_through(one.client, b"}")


def no_http(one: Asked) -> None:
    one.target.accept(b"SSH-2.0\r\n\r\n")
    read_through(one.client, b"}")


def client_left(one: Asked) -> None:
    one.target.accept(b"")
    one.client.close()
    one.target_has_a_reset()


def slot_lost(one: Asked) -> None:
    one.target.accept(b"")
    lose_slot(one)
    declined(one)


def tunnel_ended(one: Asked) -> None:
    one.target.accept(SWITCH)
    read_through(one.client, b"\r\n\r\n")
    one.client.shutdown(socket.SHUT_WR)
    read_to_the_end(one.target.connection)
    one.target.connection.close()
    read_to_the_end(one.client)


def tunnel_reset(one: Asked) -> None:
    one.target.accept(SWITCH)
    read_through(one.client, b"\r\n\r\n")
    reset(one.target.connection)
    assert is_told_of_a_reset(one.client)


def kept() -> int:
    """Count what handshakes and tunnels are made of."""
    return sum(type(each) in (ByteStream, TargetConnection, Declined) for each in gc.get_objects())


@pytest.mark.parametrize(
    "end", [declined, broken_off, closed_twice, no_http, client_left, slot_lost, tunnel_ended, tunnel_reset]
)
def test_nothing_is_left_to_the_collector(end: Callable[[Asked], None]) -> None:
    """However a handshake ends, nothing of it is kept by a reference cycle."""
    with without_collector():
        before = kept()  # of servers that other tests share
        with asked() as one:
            end(one)
            one.until_no_slot_is_held()
            wait_until("nothing more is kept", lambda: kept() <= before)
