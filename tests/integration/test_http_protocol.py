"""The server's edge: what is refused there, in which order answers go out, and what the gateway is told of a client."""

import asyncio
import fcntl
import json
import logging
import socket
import struct
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fast_priority.local.child_processes import wait_until
from fast_priority.server import refusals
from fast_priority.server.connection_state import Reading
from tests.harness import without_collector
from tests.integration.protocol_rig import (
    GET,
    PATIENCE_SECONDS,
    Echo,
    Receive,
    Send,
    Waiting,
    answer,
    connected,
    connection_in,
    kept_of_http,
    read_through,
    read_to_the_end,
    serving,
)

LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def echo() -> Iterator[tuple[Echo, int]]:
    application = Echo()
    with serving(application) as port:
        yield application, port


def said_by_the_edge(port: int, sent: bytes) -> dict[str, Any]:
    """Send it, and give the one problem that comes back before the connection is closed."""
    with connected(port) as client:
        client.sendall(sent)
        head, _, body = read_to_the_end(client).partition(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    assert {b"content-type: application/problem+json", b"connection: close"} <= set(fields)
    assert b"content-length: %d" % len(body) in fields
    problem: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % problem["status"])
    return problem


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (GET + b"X: " + b"a" * 66_000 + b"\r\n\r\n", 431),
        (GET + b"X: " + b"a" * 1_000_000, 431),
        (GET + b"X: a\r\n" * 512 + b"\r\n", 431),
        (b"\r\n" * 300_000, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 1_000_000, 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=" + b"a" * 1_000_000, 431),
    ],
    ids=["line", "fields", "endless field", "many fields", "blank lines", "endless trailer", "endless extension"],
)
def test_what_is_too_large_is_refused(echo: tuple[Echo, int], sent: bytes, status: int) -> None:
    """A head over the limits is answered 414 or 431 while it comes, and the client hears it though it still sends."""
    application, port = echo
    assert said_by_the_edge(port, sent)["status"] == status
    assert [scope for scope in application.scopes if scope["method"] == "GET"] == []


def test_what_is_just_not_too_large_is_taken(echo: tuple[Echo, int]) -> None:
    """A line of 65,000 bytes, 511 fields and 65,000 bytes of them pass."""
    many = b"".join(b"x%d: a\r\n" % number for number in range(510))
    large = b"y: " + b"a" * (65_000 - len(many)) + b"\r\n"
    with connected(echo[1]) as client:
        client.sendall(b"GET /" + b"a" * 65_000 + b" HTTP/1.1\r\nHost: x\r\n" + many + large[3:] * 0 + b"\r\n")
        client.sendall(GET + large + b"Connection: close\r\n\r\n")
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / RTSP/1.0\r\nHost: x\r\n\r\n",
        b"OPTIONS * RTSP/1.1\r\nHost: x\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nHost: x\r\n\r\n",
        b"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(echo: tuple[Echo, int], sent: bytes) -> None:
    """What cannot be read, or names nothing, is answered 400 as the gateway's other errors are, and goes nowhere."""
    application, port = echo
    assert said_by_the_edge(port, sent)["type"] == "urn:fast-priority:malformed-request"
    assert application.scopes == []


@pytest.mark.parametrize("line", [b"GET /x RTSP/1.0", b"POST /x RTSP/1.1", b"SOURCE /x ICE/1.0"])
def test_another_protocol_is_refused_wherever_it_is_split(echo: tuple[Echo, int], line: bytes) -> None:
    """A request line of another protocol is answered 400 however its bytes come, and goes nowhere."""
    application, port = echo
    sent = line + b"\r\nHost: x\r\n\r\n"
    for position in range(1, len(line) + 2):
        with connected(port) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(sent[:position])
            _wait_until_it_is_taken(client)
            client.sendall(sent[position:])
            assert read_to_the_end(client).startswith(b"HTTP/1.1 400 ")
    assert application.scopes == []


def _wait_until_it_is_taken(client: socket.socket) -> None:
    # SIOCOUTQ: what the other side's system has not acknowledged. A split is not certain then, only likely.
    wait_until("it is sent", lambda: struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, b"\0\0\0\0"))[0] == 0)


@pytest.mark.parametrize("line", [b"GET /x RTSP/1.0", b"SOURCE /x ICE/1.0", b"GET  /x HTTP/1.1"])
@pytest.mark.parametrize(
    "first",
    [
        GET + b"\r\n",
        GET + b"Content-Length: 17\r\n\r\nGET /x HTTP/1.1\r\n",
        GET + b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
        GET + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na",
    ],
)
def test_another_protocol_is_refused_behind_a_request(echo: tuple[Echo, int], first: bytes, line: bytes) -> None:
    """It is refused as well behind a request on the same connection, which is answered."""
    with connected(echo[1]) as client:
        client.sendall(first + line + b"\r\nHost: x\r\n\r\n" + LAST)
        received = read_to_the_end(client)
    assert [scope["path"] for scope in echo[0].scopes] == ["/"]
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"HTTP/1.1 400 ") == 1


def test_a_body_that_breaks_is_answered(echo: tuple[Echo, int]) -> None:
    """A chunk size that is none ends the request that the application was receiving, with 400."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert said_by_the_edge(echo[1], head + b"zz\r\n")["status"] == 400


def test_a_refusal_waits_for_its_turn() -> None:
    """With pipelined requests, the one that is malformed is answered after those before it, which are served."""
    begun = threading.Event()

    async def once_all_is_read(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        begun.set()
        while connection_in(scope)._protocol._reading is not Reading.REFUSED:
            await asyncio.sleep(0.01)
        await answer(send, b"served")

    with serving(once_all_is_read) as port, connected(port) as client:
        client.sendall(GET + b"\r\n")
        assert begun.wait(PATIENCE_SECONDS)
        client.sendall(b"nonsense\r\n\r\n")
        received = read_to_the_end(client)
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert b"served" in received.partition(b"HTTP/1.1 400")[0]
    assert received.count(b"HTTP/1.1 400 ") == 1


def test_floods_of_malformed_requests_are_one_line(
    echo: tuple[Echo, int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log tells of the first, not of each, and repeats nothing that a client sent."""
    monkeypatch.setattr(refusals, "_logs", {})
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            said_by_the_edge(echo[1], b"secret\r\n\r\n")
    told = [record.getMessage() for record in caplog.records]
    assert told == ["answered 400 malformed-request: it is not a request of HTTP/1.1"]


@pytest.mark.parametrize(
    ("line", "raw_target"),
    [
        (b"OPTIONS * HTTP/1.1", "*"),
        (b"GET http://evil/x HTTP/1.1", "/x"),
        (b"GET //evil/x HTTP/1.1", "//evil/x"),
        (b"GET /a? HTTP/1.1", "/a?"),
        (b"GET /a%2Fb/../?? HTTP/1.1", "/a%2Fb/../??"),
    ],
)
def test_the_target_is_told_as_it_was_written(echo: tuple[Echo, int], line: bytes, raw_target: str) -> None:
    """The application is told what stood in the request line, less the host of a whole URL."""
    with connected(echo[1]) as client:
        client.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = json.loads(read_to_the_end(client).partition(b"\r\n\r\n")[2])
    assert told["target"] == raw_target


def test_an_upgrade_that_means_nothing_here_loses_nothing(echo: tuple[Echo, int]) -> None:
    """Requests that ask for another protocol are answered in this one, with all that was pipelined after them."""
    asking = GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n\r\n"
    with connected(echo[1]) as client:
        client.sendall(asking * 3000 + LAST)
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1 200 OK") == 3001
    assert b'"/last"' in received


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket"])
@pytest.mark.parametrize("apart", [False, True])
def test_an_upgrade_makes_no_request_of_a_body(echo: tuple[Echo, int], wanted: bytes, apart: bool) -> None:
    """The body of a request that asks for another protocol is its body, and not the next request."""
    body = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n"
    with connected(echo[1]) as client:
        client.sendall(head % (wanted, len(body)))
        if apart:
            wait_until("the head is read", lambda: len(echo[0].scopes) == 1)
        client.sendall(body + LAST)
        read_to_the_end(client)
    assert [scope["path"] for scope in echo[0].scopes] == ["/", "/last"]


def test_an_upgrade_leaves_the_version_alone(echo: tuple[Echo, int]) -> None:
    """A request of HTTP/1.0 that asks for an upgrade stays one of HTTP/1.0."""
    with connected(echo[1]) as client:
        client.sendall(b"POST / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na")
        read_to_the_end(client)
    assert [scope["http_version"] for scope in echo[0].scopes] == ["1.0"]


def test_nothing_is_served_behind_a_last_answer() -> None:
    """What a client sent together with a request for a WebSocket is not served when that ends the connection."""
    paths: list[str] = []

    async def dismiss(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await answer(send, b"no", 400, content_length="2", connection="close")

    asking = GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with serving(dismiss) as port:
        with connected(port) as client:
            client.sendall(asking + LAST)
            read_to_the_end(client)
        with connected(port) as client:
            client.sendall(GET + b"\r\n")
            read_to_the_end(client)
    assert paths == ["/", "/"]


def test_trailer_fields_are_no_fields(echo: tuple[Echo, int]) -> None:
    """What comes after a body is dropped, and the next request is read as ever."""
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-User: root\r\n\r\n"
    with connected(echo[1]) as client:
        client.sendall(chunked + LAST)
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert b"x-user" not in received
    assert all((b"x-user", b"root") not in scope["headers"] for scope in echo[0].scopes)


LARGE = b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
CHUNKED = b"POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def _is_blocked(client: socket.socket) -> bool:
    """Tell whether the other side has stopped reading: the system's buffers are full, and stay so."""
    client.settimeout(1.0)
    try:
        client.sendall(b"x" * 20_000_000)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("head", [LARGE, CHUNKED + b"1312d00\r\n"])
def test_a_waiting_upload_stays_with_the_client(head: bytes) -> None:
    """Nothing of a large body is read until the application receives; a reset is noticed nevertheless."""
    waiting = Waiting()
    with serving(waiting) as port, connected(port) as client:
        client.sendall(head)
        assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        assert _is_blocked(client)
        assert waiting.held_bytes() == [0]
        _reset(client)
        wait_until("it has left", lambda: len(waiting.left) == 1)


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("leave", [socket.socket.close, _reset, lambda client: client.shutdown(socket.SHUT_WR)])
@pytest.mark.parametrize("head", [LARGE, CHUNKED, GET + b"\r\n"])
def test_a_client_that_leaves_is_noticed(head: bytes, leave: Any) -> None:
    """The application is told, though it receives nothing and the upload is paused, however the client has left."""
    waiting = Waiting()
    with serving(waiting) as port, connected(port) as client:
        client.sendall(head)
        assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        leave(client)
        wait_until("it has left", lambda: len(waiting.left) == 1)


def test_only_who_left_has_left() -> None:
    """Connections that take the numbers of those that are closed are not taken for them."""
    waiting = Waiting()
    with serving(waiting) as port, connected(port) as staying:
        staying.sendall(LARGE.replace(b"/large", b"/staying"))
        assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        for number in range(20):
            with connected(port) as client:
                client.sendall(LARGE)
                assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
            wait_until("it has left", lambda number=number: len(waiting.left) == number + 1)  # type: ignore[misc]
        assert "/staying" not in waiting.left


def test_with_pipelined_requests_the_first_is_told_too() -> None:
    """The client's leaving is received for the request that is being served, though others wait behind it."""
    left: list[str] = []

    async def receiving(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.append(scope["path"])

    with serving(receiving) as port, connected(port) as client:
        client.sendall(GET.replace(b"/ ", b"/first ") + b"\r\n" + LAST)
        client.close()
        wait_until("it has left", lambda: left == ["/first"])


def test_a_large_upload_arrives_and_the_connection_is_kept(echo: tuple[Echo, int]) -> None:
    """Once it is received, a paused upload comes in whole, and what is pipelined behind it is answered, in order."""
    with connected(echo[1]) as client:
        client.sendall(GET + b"\r\n" + LARGE + b"x" * 20_000_000)
        client.sendall(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + LAST)
        received = read_to_the_end(client)
    told = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [(one["target"], one["size"]) for one in told] == [
        ("/", 0),
        ("/large", 20_000_000),
        ("/chunked", 3),
        ("/last", 0),
    ]


def test_a_client_is_told_to_continue_when_somebody_receives(echo: tuple[Echo, int]) -> None:
    """Expect: 100-continue is answered at the first receiving, for a paused upload as for others."""
    with connected(echo[1]) as client:
        client.sendall(LARGE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"))
        assert read_through(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"x" * 20_000_000)
        assert b'"size": 20000000' in read_to_the_end(client)


def test_an_answer_before_the_body_is_heard() -> None:
    """A client that is answered and dismissed while it still sends reads the answer, and no reset."""

    async def dismiss(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await answer(send, b"no", 413, content_length="2", connection="close")

    with serving(dismiss) as port, connected(port) as client:
        client.sendall(LARGE + b"x" * 5_000_000)
        assert read_to_the_end(client).endswith(b"\r\n\r\nno")


@pytest.mark.parametrize("status", [304, 200])
def test_a_length_can_be_told_without_its_bytes(status: int) -> None:
    """A 304, and an answer to HEAD, keep the Content-Length of another response, and the connection goes on."""

    async def without_body(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1234")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if status == 304:
            connection_in(scope).announce_no_body()
        await send({"type": "http.response.body", "body": b""})

    method = b"HEAD" if status == 200 else b"GET"
    with serving(without_body) as port, connected(port) as client:
        client.sendall((GET + b"\r\n" + LAST).replace(b"GET", method))
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1 %d" % status) == 2
    assert received.count(b"content-length: 1234\r\n") == 2


def test_what_is_over_leaves_nothing_to_the_collector_of_garbage(echo: tuple[Echo, int]) -> None:
    """Of requests that were answered, and of connections that have ended, nothing is kept, by no circle either."""
    _, port = echo
    with without_collector():
        with connected(port) as client:
            for _ in range(10):
                client.sendall(GET + b"\r\n")
                read_through(client, b"}")
            assert kept_of_http() <= 2
        for _ in range(10):
            with connected(port) as client:
                client.sendall(LAST)
                read_to_the_end(client)
        wait_until("nothing is kept", lambda: kept_of_http() == 0)


def test_requests_whose_turn_never_came_leave_nothing_either() -> None:
    """A client that leaves with requests in its pipeline leaves nothing behind, by no circle either."""
    waiting = Waiting()
    with serving(waiting) as port, without_collector():
        with connected(port) as client:
            client.sendall((GET + b"\r\n") * 3)
            assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        wait_until("nothing is kept", lambda: kept_of_http() == 0)
