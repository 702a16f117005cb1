"""What Target sends on the wire, and how often."""

import asyncio
import socket
import struct
import threading
import weakref
from collections.abc import AsyncIterator

import pytest

from fast_priority.errors import (
    ConnectTimeout,
    MalformedRequest,
    NotSent,
    ResponseIncomplete,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetTimeout,
)
from fast_priority.http import keep_alive
from fast_priority.http.message import Fields, Reply, Request, TargetPolicy
from fast_priority.target import Target
from tests.harness import free_port, scripted_target, without_collector

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def policy(port: int, path: str = "", **limits: float) -> TargetPolicy:
    values = {"connect_timeout_seconds": 2.0, "timeout_seconds": 10.0, "max_body_bytes": 1 << 20, **limits}
    return TargetPolicy(f"http://127.0.0.1:{port}{path}", **values)  # type: ignore[arg-type]


def request(method: str = "GET", raw_target: bytes = b"/x", fields: Fields | None = None, body: bytes = b"") -> Request:
    return Request(method, raw_target, fields or [], body)


async def reply_of(target: Target, sent: Request) -> Reply:
    """Send a request and return the whole response."""
    assert sent.body is not None
    async with target.exchange(sent.method, sent.raw_target, sent.fields, sent.body) as response:
        body = b"".join([chunk async for chunk in response.chunks()])
        return Reply(response.status, response.fields, body, response.http_version)


async def forward(port: int, sent: Request, path: str = "", **limits: float) -> Reply:
    async with Target(policy(port, path, **limits)) as target:
        return await reply_of(target, sent)


def answer_ok(connection: socket.socket, head: bytes) -> None:
    connection.sendall(OK)


async def test_nothing_is_added_to_a_bare_request() -> None:
    """A request without fields goes out as its request line and the target's Host, and nothing else."""
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request())
    assert heads == [f"GET /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()]


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PURGE"])
async def test_a_missing_body_gets_no_length(method: str) -> None:
    """A request without a body and its fields goes out without them, whatever its method."""
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request(method))
    assert heads == [f"{method} /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()]


@pytest.mark.parametrize(
    "raw", [b"/a%2Fb", b"//a", b"/a/../b", b"/%zz?q=%20+&&", b"/;p?a=1&a=2", b"/%C3%28", b"/?", b"/a?", b"*"]
)
async def test_the_request_line_is_sent_byte_for_byte(raw: bytes) -> None:
    """Path and query are sent byte for byte."""
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request(raw_target=raw))
    assert heads[0].split(b" ")[1] == raw


@pytest.mark.parametrize("raw_target", [b"/../secret", b"/..%2fsecret", b"/x/..;/..\\secret?a=1", b"../secret"])
async def test_nothing_above_the_base_path_is_sent(raw_target: bytes) -> None:
    """A request target above the base path, as in a forged job, is refused, and no connection is made."""
    with scripted_target(answer_ok) as (port, heads), pytest.raises(MalformedRequest):
        await forward(port, request(raw_target=raw_target), path="/api")
    assert heads == []


@pytest.mark.parametrize("base", ["/api", "/api/"])
async def test_a_base_path_is_joined_with_one_slash(base: str) -> None:
    """The base URL's path and the request's are joined with exactly one slash, whatever the base ends with."""
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request(raw_target=b"/x"), base)
    assert heads[0].split(b" ")[1] == b"/api/x"


async def test_fields_keep_order_and_repetition() -> None:
    """Field lines go out one for one, in their order, with their bytes."""
    fields = [(b"x-a", b"1"), (b"x-b", "Zoë".encode()), (b"x-a", b"2"), (b"x-empty", b"")]
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request(fields=fields))
    lines = heads[0].split(b"\r\n")[2:-2]
    assert lines == [b"x-a: 1", "x-b: Zoë".encode(), b"x-a: 2", b"x-empty: "]


async def test_repeated_response_fields_come_back_in_order() -> None:
    """The response's field lines come back one for one, less those of the connection."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-B: \xff\r\nSet-Cookie: b=2\r\nConnection: x-c\r\nX-C: 1\r\n"
            b"Content-Length: 0\r\n\r\n"
        )

    with scripted_target(answer) as (port, _):
        reply = await forward(port, request())
    assert reply.fields == [
        (b"Set-Cookie", b"a=1"),
        (b"X-B", b"\xff"),
        (b"Set-Cookie", b"b=2"),
        (b"Content-Length", b"0"),
    ]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_no_request_is_sent_twice(method: str) -> None:
    """When a kept connection turns out to be closed, the request fails: no method is silently sent again."""
    answered = threading.Event()

    def answer_once(connection: socket.socket, head: bytes) -> None:
        if answered.is_set():
            connection.shutdown(socket.SHUT_RDWR)
        else:
            answered.set()
            connection.sendall(OK)

    with scripted_target(answer_once) as (port, heads):
        async with Target(policy(port)) as target:
            await reply_of(target, request(method))
            with pytest.raises(TargetClosed):
                await reply_of(target, request(method))
    assert len(heads) == 2


async def test_a_redirect_is_a_response() -> None:
    """A redirect comes back as it is, and is not followed."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    with scripted_target(answer) as (port, heads):
        reply = await forward(port, request())
    assert (reply.status, len(heads)) == (302, 1)


async def test_proxy_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and similar variables have no effect."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    with scripted_target(answer_ok) as (port, _):
        assert (await forward(port, request())).body == b"ok"


async def test_large_bodies_go_out_whole_with_their_length() -> None:
    """A body too large for one write goes out in pieces, with its own Content-Length."""
    received: list[bytes] = []

    def answer(connection: socket.socket, head: bytes) -> None:
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = head.split(b"\r\n\r\n", 1)[1]
        while len(body) < length:
            body += connection.recv(65536)
        received.append(body)
        connection.sendall(OK)

    body = bytes(range(256)) * 8192
    with scripted_target(answer) as (port, _):
        await forward(port, request("POST", fields=[(b"content-length", b"%d" % len(body))], body=body))
    assert received == [body]


async def test_streamed_bodies_are_sent_chunked() -> None:
    """A body of unknown length is sent with chunked coding."""

    def answer(connection: socket.socket, head: bytes) -> None:
        while not head.endswith(b"0\r\n\r\n"):
            head += connection.recv(65536)
        connection.sendall(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    with scripted_target(answer) as (port, heads):
        async with (
            Target(policy(port)) as target,
            target.exchange("POST", b"/x", [], body()) as response,
        ):
            assert response.status == 200
    assert b"Transfer-Encoding: chunked" in heads[0]


async def test_a_body_that_breaks_off_is_an_error() -> None:
    """A response shorter than its Content-Length is ResponseIncomplete, never a short body."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour")
        connection.shutdown(socket.SHUT_RDWR)

    with scripted_target(answer) as (port, _), pytest.raises(ResponseIncomplete):
        await forward(port, request())


async def test_a_connection_that_is_never_accepted() -> None:
    """A target that neither accepts nor refuses connections is a ConnectTimeout at the connect timeout, a 504."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]  # it never accepts: its queue is full after one or two
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            with pytest.raises(ConnectTimeout) as raised:
                await forward(port, request(), connect_timeout_seconds=0.3)
        finally:
            for filler in fillers:
                filler.close()
    assert (raised.value.status, raised.value.proxy_error) == (504, "connection_timeout")


async def test_a_name_that_does_not_resolve() -> None:
    """A target whose host name is unknown is a TargetNotFound."""
    async with Target(TargetPolicy("http://no-such-host.invalid", 2.0, 5.0, 1024)) as target:
        with pytest.raises((TargetNotFound, TargetError)) as raised:
            await reply_of(target, request())
    assert raised.value.status == 502


@pytest.mark.parametrize("body", [b"", b"body"])
@pytest.mark.parametrize(
    "value", [b"\xff", b"a\xe4\xc3\xa4", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\x80\tb"]
)
async def test_fields_that_are_not_utf8_go_out_byte_for_byte(value: bytes, body: bytes) -> None:
    """A field value goes out with its own bytes also where they are not UTF-8, and so do the fields around it."""
    fields = [(b"x-a", value), (b"x-b", "Zoë".encode()), (b"content-length", b"%d" % len(body)), (b"x-a", b"")]
    with scripted_target(answer_ok) as (port, heads):
        await forward(port, request("POST", fields=fields, body=body))
    lines = heads[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert lines[2:] == [b"%s: %s" % field for field in fields]


@pytest.mark.parametrize("value", [b"a\r\nx-b: 1", b"a\nb", b"a\0b", b"\xff\r\nx-b: 1", b"\xff\0"])
async def test_a_field_that_would_begin_another_is_refused(value: bytes) -> None:
    """A value with control characters is refused, whatever its other bytes, and nothing is sent."""
    with scripted_target(answer_ok) as (port, heads), pytest.raises(MalformedRequest):
        await forward(port, request(fields=[(b"x-a", value)]))
    assert heads == []


async def test_a_name_that_is_not_ascii_is_refused() -> None:
    """A field whose name has other bytes than ASCII is refused, and nothing is sent."""
    with scripted_target(answer_ok) as (port, heads), pytest.raises(MalformedRequest):
        await forward(port, request(fields=[(b"x-\xff", b"1")]))
    assert heads == []


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_the_version_of_the_target(version: str) -> None:
    """A reply names the HTTP version of the target."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(f"HTTP/{version} 200 OK\r\nContent-Length: 0\r\n\r\n".encode())

    with scripted_target(answer) as (port, _):
        assert (await forward(port, request())).http_version == version


async def test_a_responses_trailers_are_dropped() -> None:
    """Trailer fields of the target's response become no fields of the reply, nor part of its body."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
        )

    with scripted_target(answer) as (port, _):
        reply = await forward(port, request())
    assert (reply.fields, reply.body) == ([], b"ok")


async def test_leaving_an_exchange_early_ends_the_call() -> None:
    """When the rest of a response is not read, its connection is closed."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart")
        if connection.recv(1) == b"":
            loop.call_soon_threadsafe(closed.set)

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target:
            async with target.exchange("GET", b"/x", [], b"") as response:
                assert response.status == 200
            async with asyncio.timeout(10):
                await closed.wait()


async def test_reachability_uses_no_slot() -> None:
    """The health check of the target connects and sends nothing."""
    with scripted_target(answer_ok) as (port, heads):
        async with Target(policy(port)) as target:
            assert await target.problem() is None
    assert heads == []


async def test_the_problem_of_a_target_that_is_not_there() -> None:
    """The health check of a target at which nothing listens says so."""
    async with Target(policy(free_port())) as target:
        assert await target.problem() == "nothing listens at its address"


async def test_unsolicited_bytes_never_answer_the_next_request() -> None:
    """What a target sends on an idle connection does not become the response to the next request."""
    poisoned = threading.Event()
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"

    def answer_and_go_on(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK)
        if not poisoned.is_set():
            asked_again.wait(10)
            connection.sendall(poison)
            poisoned.set()

    asked_again = threading.Event()
    with scripted_target(answer_and_go_on) as (port, heads):
        async with Target(policy(port)) as target:
            await reply_of(target, request())
            asked_again.set()
            await asyncio.to_thread(poisoned.wait, 10)
            await asyncio.sleep(0)  # the unsolicited bytes are in the socket, and the loop could have read them
            replies = [await reply_of(target, request()) for _ in range(2)]
    assert [reply.body for reply in replies] == [b"ok", b"ok"]
    assert len(heads) == 3


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: \x01\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_head_that_cannot_be_sent_on_is_an_error(head: bytes) -> None:
    """A status that is not final, or a value with control characters, is a TargetError."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)

    with scripted_target(answer) as (port, _), pytest.raises(TargetError):
        await forward(port, request(), timeout_seconds=2.0)


async def test_an_error_of_the_body_is_raised_as_it_is() -> None:
    """When reading a streamed body fails, its error is raised, and no TargetError."""

    class ReadingFailed(Exception):
        pass

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise ReadingFailed

    with scripted_target(lambda connection, head: None) as (port, _):
        async with Target(policy(port)) as target:
            with pytest.raises(ReadingFailed):
                async with target.exchange("POST", b"/x", [], body()):
                    pytest.fail("there is no response")


async def test_a_streamed_request_is_checked_before_its_first_byte() -> None:
    """Nothing is sent of a request that lost its lease while its body was on its way to the worker."""
    is_wanted = True

    async def body() -> AsyncIterator[bytes]:
        nonlocal is_wanted
        is_wanted = False
        yield b"late"

    with scripted_target(answer_ok) as (port, heads):
        async with Target(policy(port)) as target:
            with pytest.raises(NotSent):
                async with target.exchange("POST", b"/x", [], body(), may_be_sent=lambda: is_wanted):
                    pytest.fail("there is no response")
    assert heads == []


async def test_a_304_may_declare_any_length() -> None:
    """The Content-Length of a 304 is that of another response: it has no body, and no limit applies."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n")

    with scripted_target(answer) as (port, _):
        async with (
            Target(policy(port)) as target,
            target.exchange("GET", b"/x", [], b"", most_response_bytes=1000) as response,
        ):
            assert response.status == 304


async def test_bodies_of_known_length_are_not_chunked() -> None:
    """A whole body goes out with its length, even when the client had sent it in chunks."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)

    with scripted_target(answer) as (port, heads):
        await forward(port, request("POST", body=b"x" * 300))
    assert b"Content-Length: 300" in heads[0].title()
    assert b"Transfer-Encoding" not in heads[0]


@pytest.mark.parametrize(
    ("framing", "rest"),
    [
        (b"Connection: close", None),
        (b"Transfer-Encoding: chunked", b"this is not a chunk\r\n"),
    ],
)
async def test_a_body_that_fails_half_way_is_not_whole(framing: bytes, rest: bytes | None) -> None:
    """A body that ends with a reset, or that turns out not to be HTTP, is incomplete."""
    has_begun = threading.Event()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        connection.sendall(b"5\r\nhello\r\n")
        assert has_begun.wait(10)
        if rest is None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it resets it
            connection.close()
        else:
            connection.sendall(rest)

    async def read(target: Target) -> None:
        async with target.exchange("GET", b"/x", [], b"") as response:
            async for _ in response.chunks():
                has_begun.set()

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target, asyncio.timeout(5):
            with pytest.raises(ResponseIncomplete):
                await read(target)


async def test_an_error_of_the_body_ends_an_early_response() -> None:
    """When the target has begun its response and the request's body then fails, the error of the body is raised."""
    has_begun = asyncio.Event()

    class Gone(Exception):
        pass

    async def body() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await has_begun.wait()
        raise Gone

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")
        while connection.recv(65536):
            pass

    async def send(target: Target) -> None:
        async with target.exchange("POST", b"/x", [], body()) as response:
            async for _ in response.chunks():
                has_begun.set()

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target, asyncio.timeout(5):
            with pytest.raises(Gone):
                await send(target)


async def test_a_body_of_another_length_is_refused() -> None:
    """A body that is longer or shorter than its Content-Length is refused: the target would misread what follows."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"bo"
        yield b"dy"

    with scripted_target(lambda connection, head: None) as (port, _):
        async with Target(policy(port)) as target:
            for length in (b"3", b"5", b"many"):
                for body in (b"body", pieces()):
                    with pytest.raises(MalformedRequest):
                        async with target.exchange("POST", b"/x", [(b"content-length", length)], body):
                            pytest.fail("there is no response")


async def test_two_declared_lengths_are_refused() -> None:
    """A body that comes with a Transfer-Encoding of its own is refused."""
    with scripted_target(answer_ok) as (port, heads), pytest.raises(MalformedRequest):
        await forward(port, request("POST", fields=[(b"Transfer-Encoding", b"chunked")], body=b"body"))
    assert heads == []


async def test_a_body_is_read_only_as_fast_as_the_target_takes_it() -> None:
    """When a target reads nothing, no more of the body is read, and the target's timeout expires."""
    taken = 0
    is_over = threading.Event()

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 1024:
            taken += 1
            yield bytes(64 * 1024)

    def read_nothing(connection: socket.socket, head: bytes) -> None:
        is_over.wait(10)

    with scripted_target(read_nothing) as (port, _):
        async with Target(policy(port, timeout_seconds=0.5)) as target:
            with pytest.raises(TargetTimeout):
                async with target.exchange("POST", b"/x", [], body()):
                    pytest.fail("there is no response")
            is_over.set()
    assert taken < 1024


async def test_a_response_may_come_before_the_body_is_whole() -> None:
    """A response that comes during an upload is returned; then the upload ends, and its connection is closed."""
    was_left, closed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"the beginning"
            await asyncio.Event().wait()
        finally:
            was_left.set()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK)
        while connection.recv(65536):
            pass
        loop.call_soon_threadsafe(closed.set)

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target, asyncio.timeout(10):
            async with target.exchange("POST", b"/x", [], body()) as response:
                assert b"".join([piece async for piece in response.chunks()]) == b"ok"
            assert was_left.is_set()
            await closed.wait()


async def test_an_upload_that_ended_early_leaves_no_cycle() -> None:
    """An exchange whose upload was answered early is freed at its end: no reference cycle keeps it."""

    async def body() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await asyncio.Event().wait()

    with scripted_target(answer_ok) as (port, _):
        async with Target(policy(port)) as target:
            with without_collector():
                exchange = target.exchange("POST", b"/x", [], body())
                async with exchange as response:
                    assert await response.whole_if_quick() == b"ok"
                assert exchange._upload is not None
                known: list[weakref.ref[object]] = [weakref.ref(exchange), weakref.ref(exchange._upload)]
                del exchange, response
                assert [each() for each in known] == [None, None]


def answer_with_peer(connection: socket.socket, head: bytes) -> None:
    port = b"%05d" % connection.getpeername()[1]
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + port)


async def test_a_connection_is_used_again() -> None:
    """Requests that come one after the other share a connection; those at the same time do not."""
    with scripted_target(answer_with_peer) as (port, _):
        async with Target(policy(port)) as target:
            one = (await reply_of(target, request())).body
            again = (await reply_of(target, request())).body
            async with target.exchange("GET", b"/x", [], b"") as response:
                other = (await reply_of(target, request())).body
                assert b"".join([piece async for piece in response.chunks()]) == one
    assert one == again != other


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was idle for a while is closed, before the target does so."""
    monkeypatch.setattr(keep_alive, "USUAL_IDLE_SECONDS", 0.05)
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(OK)
        if connection.recv(1) == b"":
            loop.call_soon_threadsafe(closed.set)

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target, asyncio.timeout(10):
            await reply_of(target, request())
            await closed.wait()


async def test_a_response_behind_a_response_is_dropped() -> None:
    """What a target sends behind a response, in one piece with it, does not become the next response."""
    has_begun = threading.Event()

    def answer(connection: socket.socket, head: bytes) -> None:
        if has_begun.is_set():
            connection.sendall(OK)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nof")
        assert has_begun.wait(10)
        connection.sendall(b"ok" + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON")

    with scripted_target(answer) as (port, _):
        async with Target(policy(port)) as target:
            async with target.exchange("GET", b"/x", [], b"") as response:
                first = b""
                async for piece in response.chunks():
                    has_begun.set()
                    first += piece
            second = await reply_of(target, request())
    assert (first, second.body) == (b"ofok", b"ok")


async def test_a_target_may_have_an_ipv6_address() -> None:
    """An IPv6 address is in brackets in Host, with its port."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await reader.read()
        writer.close()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = server.sockets[0].getsockname()[1]
    async with server, Target(TargetPolicy(f"http://[::1]:{port}", 2.0, 5.0, 1024)) as target:
        assert (await reply_of(target, request())).body == b"ok"
    assert heads == [f"GET /x HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n".encode()]
