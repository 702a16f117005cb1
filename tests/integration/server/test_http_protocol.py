"""HttpProtocol on sockets: what it refuses, the order of its responses, and what it reports about a client."""

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
from tests.integration.server.protocol_rig import (
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


def problem_from(port: int, sent: bytes) -> dict[str, Any]:
    """Send these bytes; return the only problem that comes back before the connection is closed."""
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
def test_too_large_heads_are_refused(echo: tuple[Echo, int], sent: bytes, status: int) -> None:
    """A head over the limits is answered 414 or 431 while it comes, also to a client that still sends."""
    application, port = echo
    assert problem_from(port, sent)["status"] == status
    assert [scope for scope in application.scopes if scope["method"] == "GET"] == []


def test_heads_up_to_the_limit_are_accepted(echo: tuple[Echo, int]) -> None:
    """A line of 65,000 bytes, 511 fields, and 65,000 bytes of fields are accepted."""
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
def test_malformed_requests_are_refused(echo: tuple[Echo, int], sent: bytes) -> None:
    """A request that cannot be read, or names no resource, is answered 400 and not passed to the application."""
    application, port = echo
    assert problem_from(port, sent)["type"] == "urn:fast-priority:malformed-request"
    assert application.scopes == []


@pytest.mark.parametrize("line", [b"GET /x RTSP/1.0", b"POST /x RTSP/1.1", b"SOURCE /x ICE/1.0"])
def test_another_protocol_is_refused_wherever_it_is_split(echo: tuple[Echo, int], line: bytes) -> None:
    """A request line of another protocol is answered 400, at every split of its bytes, and not passed on."""
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
    # SIOCOUTQ: the bytes that the other side's system has not acknowledged. Then a split is likely, but not certain.
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
    """Another protocol is also refused after a request on the same connection; that request is answered."""
    with connected(echo[1]) as client:
        client.sendall(first + line + b"\r\nHost: x\r\n\r\n" + LAST)
        received = read_to_the_end(client)
    assert [scope["path"] for scope in echo[0].scopes] == ["/"]
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"HTTP/1.1 400 ") == 1


def test_a_malformed_body_is_refused(echo: tuple[Echo, int]) -> None:
    """A malformed chunk size ends a request that the application is receiving with 400."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert problem_from(echo[1], head + b"zz\r\n")["status"] == 400


def test_a_refusal_waits_for_its_turn() -> None:
    """A malformed pipelined request is answered after the requests before it, which are served."""
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
    """Of the refused requests only the first is logged, without anything that the client sent."""
    monkeypatch.setattr(refusals, "_logs", {})
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            problem_from(echo[1], b"secret\r\n\r\n")
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["answered 400 malformed-request: it is not a request of HTTP/1.1"]


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
def test_the_target_is_passed_as_it_was_written(echo: tuple[Echo, int], line: bytes, raw_target: str) -> None:
    """The application gets the target of the request line, without the host of a whole URL."""
    with connected(echo[1]) as client:
        client.sendall(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        passed = json.loads(read_to_the_end(client).partition(b"\r\n\r\n")[2])
    assert passed["target"] == raw_target


def test_an_unsupported_upgrade_is_ignored(echo: tuple[Echo, int]) -> None:
    """Requests that ask for another protocol are answered in HTTP/1.1, and so are those pipelined after them."""
    asking = GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n\r\n"
    with connected(echo[1]) as client:
        client.sendall(asking * 3000 + LAST)
        received = read_to_the_end(client)
    assert received.count(b"HTTP/1.1 200 OK") == 3001
    assert b'"/last"' in received


@pytest.mark.parametrize("wanted", [b"h2c", b"websocket"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_body_behind_an_upgrade_is_no_request(echo: tuple[Echo, int], wanted: bytes, apart: bool) -> None:
    """The body of a request that asks for another protocol is not read as the next request."""
    body = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n"
    with connected(echo[1]) as client:
        client.sendall(head % (wanted, len(body)))
        if apart:
            wait_until("the head is read", lambda: len(echo[0].scopes) == 1)
        client.sendall(body + LAST)
        read_to_the_end(client)
    assert [scope["path"] for scope in echo[0].scopes] == ["/", "/last"]


def test_an_upgrade_keeps_the_version(echo: tuple[Echo, int]) -> None:
    """A request of HTTP/1.0 that asks for an upgrade stays one of HTTP/1.0."""
    with connected(echo[1]) as client:
        client.sendall(b"POST / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na")
        read_to_the_end(client)
    assert [scope["http_version"] for scope in echo[0].scopes] == ["1.0"]


def test_no_request_is_served_behind_the_last_response() -> None:
    """A request behind one for a WebSocket is not served if the response to that closes the connection."""
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
    """Trailer fields are dropped, and the next request is read."""
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
    """Return whether the other side has stopped reading: the buffers of the system are full, and stay so."""
    client.settimeout(1.0)
    try:
        client.sendall(b"x" * 20_000_000)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("head", [LARGE, CHUNKED + b"1312d00\r\n"])
def test_a_waiting_upload_stays_with_the_client(head: bytes) -> None:
    """Nothing of a large body is read until the application receives; a reset is still noticed."""
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
    """A close, a reset and a half-close are reported, also to an application that receives nothing."""
    waiting = Waiting()
    with serving(waiting) as port, connected(port) as client:
        client.sendall(head)
        assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        leave(client)
        wait_until("it has left", lambda: len(waiting.left) == 1)


def test_only_the_client_that_left_is_reported() -> None:
    """A connection that gets the file number of a closed one is not reported as closed."""
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


def test_a_client_that_leaves_is_noticed_with_pipelined_requests() -> None:
    """The request that is being served receives a disconnect, though others wait behind it."""
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
    """A paused upload that is received arrives whole, and the requests pipelined behind it are answered, in order."""
    with connected(echo[1]) as client:
        client.sendall(GET + b"\r\n" + LARGE + b"x" * 20_000_000)
        client.sendall(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + LAST)
        received = read_to_the_end(client)
    passed = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [(one["target"], one["size"]) for one in passed] == [
        ("/", 0),
        ("/large", 20_000_000),
        ("/chunked", 3),
        ("/last", 0),
    ]


def test_100_continue_is_sent_when_the_body_is_received(echo: tuple[Echo, int]) -> None:
    """Expect: 100-continue is answered when the application first receives, also for a paused upload."""
    with connected(echo[1]) as client:
        client.sendall(LARGE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"))
        assert read_through(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"x" * 20_000_000)
        assert b'"size": 20000000' in read_to_the_end(client)


def test_a_response_before_the_end_of_the_body_arrives() -> None:
    """A client that still sends when it gets a last response reads the response, and no reset."""

    async def dismiss(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await answer(send, b"no", 413, content_length="2", connection="close")

    with serving(dismiss) as port, connected(port) as client:
        client.sendall(LARGE + b"x" * 5_000_000)
        assert read_to_the_end(client).endswith(b"\r\n\r\nno")


@pytest.mark.parametrize("status", [304, 200])
def test_a_content_length_without_a_body(status: int) -> None:
    """A 304, and a response to HEAD, keep their Content-Length, and the connection stays usable."""

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


def test_ended_requests_leave_no_reference_cycle(echo: tuple[Echo, int]) -> None:
    """Answered requests and ended connections leave nothing in memory, also no reference cycle."""
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


def test_unanswered_requests_leave_no_reference_cycle() -> None:
    """A client that leaves while its requests wait leaves nothing in memory, also no reference cycle."""
    waiting = Waiting()
    with serving(waiting) as port, without_collector():
        with connected(port) as client:
            client.sendall((GET + b"\r\n") * 3)
            assert waiting.begun.acquire(timeout=PATIENCE_SECONDS)
        wait_until("nothing is kept", lambda: kept_of_http() == 0)
