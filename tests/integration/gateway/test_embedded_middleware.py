"""Middleware that a user adds runs for every request, and sees all of it: the request, its body, the response."""

import gzip
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from fast_priority.gateway import GatewayApp
from fast_priority.local.child_processes import wait_until
from fast_priority.server.request_connection import RequestConnection
from tests.harness import exchange_bytes, scripted_target
from tests.integration.gateway.embedding_rig import FORWARDED, OWN_PAGES, Behind, served
from tests.integration.gateway.test_embedded_websockets import HANDSHAKE

SERVERS = ["ours", "uvicorn"]
EVERYWHERE = [*FORWARDED, *OWN_PAGES]
Next = Callable[[Request], Awaitable[Response]]
each_server = pytest.mark.parametrize("server", SERVERS)


class Guard:
    """Refuses requests with a certain field, and adds a field to the responses to all others."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (b"x-bad", b"1") in scope["headers"]:
            await PlainTextResponse("no", 403)(scope, receive, send)
            return

        async def marking(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-marked", b"1")]
            await send(message)

        await self._app(scope, receive, marking)


async def guard(request: Request, call_next: Next) -> Response:
    """Do the same in the way that FastAPI documents."""
    if "x-bad" in request.headers:
        return PlainTextResponse("no", 403)
    response = await call_next(request)
    response.headers["x-marked"] = "1"
    return response


def by_add_middleware(app: GatewayApp) -> Any:
    app.add_middleware(Guard)
    return app


def by_decorator(app: GatewayApp) -> Any:
    app.middleware("http")(guard)
    return app


def by_class(app: GatewayApp) -> Any:
    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)
    return app


def by_the_list(app: GatewayApp) -> Any:
    app.user_middleware.append(Middleware(Guard))
    return app


def by_wrapping(app: GatewayApp) -> Any:
    return Guard(app)


def by_replacing_the_stack(app: GatewayApp) -> Any:
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Guard(build())  # type: ignore[method-assign]  # as instrumentation does it
    return app


def by_the_application_around(app: GatewayApp) -> Any:
    main = FastAPI(openapi_url=None)
    main.add_middleware(Guard)
    main.mount("/", app)
    return main


WAYS = [
    by_add_middleware, by_decorator, by_class, by_the_list, by_wrapping, by_replacing_the_stack,
    by_the_application_around,
]  # fmt: skip
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
GUARDED = {server: [pytest.param((way, server), id=f"{way.__name__}-{server}") for way in WAYS] for server in SERVERS}


@pytest.fixture(scope="module", params=[*GUARDED["ours"], *GUARDED["uvicorn"]])
def guarded(lasting_behind: Behind, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of a gateway with a guard, added in each way; it is the same one for all tests."""
    way, server = request.param
    with served(way(lasting_behind.app()), server) as client:
        yield client


def test_a_guard_guards_everything(behind: Behind, guarded: httpx.Client) -> None:
    """What a guard refuses reaches no target and no page, however it was added; all else passes it once."""
    for path in EVERYWHERE:
        for method in ("GET", "HEAD", "POST"):
            refused = guarded.request(method, path, headers={"x-bad": "1"})
            assert (refused.status_code, "x-marked" in refused.headers) == (403, False), path
    assert behind.saw() == []
    for path in EVERYWHERE * 2:
        passed = guarded.get(path)
        assert (passed.status_code, passed.headers.get_list("x-marked")) == (200, ["1"]), path


@pytest.mark.parametrize("guarded", GUARDED["ours"], indirect=True)
def test_a_guard_sees_handshakes(behind: Behind, guarded: httpx.Client) -> None:
    """A WebSocket's handshake is refused by a guard before the target is asked."""
    answer = exchange_bytes(guarded.base_url.port or 0, HANDSHAKE % b"X-Bad: 1\r\nConnection: close\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert behind.saw() == []


@each_server
@each_way
def test_errors_pass_the_middleware(behind: Behind, server: str, way: Callable[[GatewayApp], Any]) -> None:
    """For a middleware, an error of the gateway is a response like any other."""
    with served(way(behind.app(target_base_url="http://127.0.0.1:1")), server) as client:
        for path in ("/queued", "/direct"):
            response = client.get(path)
            assert (response.status_code, response.headers["x-marked"]) == (502, "1")


def test_large_responses_pass_the_middleware(behind: Behind, guarded: httpx.Client) -> None:
    """A streamed response passes piece by piece, unchanged except for what the middleware does."""
    for path in ("/queued", "/direct"):
        response = guarded.get(path, params={"mock_size": "3000000"})
        straight = behind.stack.mock.get(path, params={"mock_size": "3000000"})
        assert (response.status_code, response.headers["x-marked"]) == (200, "1"), response.text
        assert response.content == straight.content
        assert len(response.content) == 3_000_000


@pytest.mark.parametrize("path", ["/queued", "/direct"])
def test_what_a_middleware_adds_is_not_remembered(behind: Behind, path: str) -> None:
    """A field that a middleware adds to one response is not in the next one, even if both are equal otherwise."""
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    with scripted_target(lambda connection, _: connection.sendall(response)) as (port, _):
        app = behind.app(target_base_url=f"http://127.0.0.1:{port}")

        @app.middleware("http")
        async def add(request: Request, call_next: Next) -> Response:
            response = await call_next(request)
            response.headers.append("x-added", request.headers["x-ask"])
            return response

        with served(app) as client:
            for number in ("1", "2", "3"):
                assert client.get(path, headers={"x-ask": number}).headers.get_list("x-added") == [number]


@each_server
@pytest.mark.parametrize("path", FORWARDED)
def test_a_body_can_be_replaced(behind: Behind, server: str, path: str) -> None:
    """If a middleware replaces the response, the client gets the new one, and nothing of the first."""
    app = behind.app()

    @app.middleware("http")
    async def replace(request: Request, call_next: Next) -> Response:
        response: Any = await call_next(request)
        size = sum([len(piece) async for piece in response.body_iterator])
        return PlainTextResponse(f"it had {size} bytes", 418)

    with served(app, server) as client:
        for _ in range(2):
            response = client.get(path)
            assert (response.status_code, response.text[:7]) == (418, "it had ")


@each_server
@pytest.mark.parametrize("path", ["/queued", "/direct", "/gateway_openapi.json"])
def test_responses_can_be_packed(behind: Behind, server: str, path: str) -> None:
    """Starlette's GZipMiddleware compresses the target's response."""
    app = behind.app()
    app.add_middleware(GZipMiddleware, minimum_size=10)
    with served(app, server) as client, client.stream("GET", path, headers={"accept-encoding": "gzip"}) as response:
        packed = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed).startswith(b"{")


@each_server
@pytest.mark.parametrize("path", FORWARDED)
def test_cross_origin_requests(behind: Behind, server: str, path: str) -> None:
    """Starlette's CORSMiddleware answers the preflight itself, and adds its fields to forwarded responses."""
    app = behind.app()
    app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"])
    asked = {"origin": "https://a.example", "access-control-request-method": "GET"}
    with served(app, server) as client:
        assert client.options(path, headers=asked).headers["access-control-allow-origin"] == "https://a.example"
        assert behind.saw() == []
        forwarded = client.get(path, headers={"origin": "https://a.example"})
        assert forwarded.headers["access-control-allow-origin"] == "https://a.example"


class Doubling:
    """Doubles each piece of a request's body, and its Content-Length."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def doubled() -> Any:
            message = await receive()
            return {**message, "body": message.get("body", b"") * 2} if message["type"] == "http.request" else message

        length = [(name, b"%d" % (int(value) * 2)) for name, value in scope["headers"] if name == b"content-length"]
        others = [field for field in scope["headers"] if field[0] != b"content-length"]
        await self._app({**scope, "headers": [*others, *length]}, doubled, send)


@pytest.fixture(scope="module", params=SERVERS)
def doubled(lasting_behind: Behind, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of a gateway that doubles what it is sent; it is the same one for all tests."""
    app = lasting_behind.app()
    app.add_middleware(Doubling)
    with served(app, request.param) as client:
        yield client


@pytest.mark.parametrize("path", ["/queued", "/direct"])
@pytest.mark.parametrize("size", [3, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_of_a_request_can_be_replaced(doubled: httpx.Client, path: str, size: int, chunked: bool) -> None:
    """If a middleware wraps `receive`, the target gets the body as the middleware changed it, small or large."""
    response = doubled.post(path, content=iter([b"x" * size]) if chunked else b"x" * size)
    assert response.json()["body_length"] == 2 * size


@each_server
@pytest.mark.parametrize("path", ["/queued", "/direct"])
@pytest.mark.parametrize("size", [3, 200_000])
def test_a_body_that_a_middleware_has_read(behind: Behind, server: str, path: str, size: int) -> None:
    """If a middleware reads the body with `request.body()`, the target still gets all of it."""
    app = behind.app()
    seen = []

    @app.middleware("http")
    async def read(request: Request, call_next: Next) -> Response:
        seen.append(len(await request.body()))
        return await call_next(request)

    with served(app, server) as client:
        assert client.post(path, content=b"x" * size).json()["body_length"] == size
    assert seen == [size]


@each_server
@pytest.mark.parametrize("path", ["/queued", "/direct"])
@pytest.mark.parametrize("size", [3, 200_000])
def test_a_body_that_a_middleware_has_taken_away(behind: Behind, server: str, path: str, size: int) -> None:
    """A body that is not as long as its Content-Length is refused: the target would read the next request in it."""
    app = behind.app()

    @app.middleware("http")
    async def take(request: Request, call_next: Next) -> Response:
        _ = [piece async for piece in request.stream()]
        return await call_next(request)

    with served(app, server) as client:
        assert client.post(path, content=b"x" * size).status_code == 400
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("way", [by_add_middleware, by_class, by_wrapping], ids=lambda way: way.__name__)
@pytest.mark.parametrize("path", ["/queued", "/direct"])
def test_a_304_keeps_the_connection(behind: Behind, way: Callable[[GatewayApp], Any], path: str) -> None:
    """A 304 with a Content-Length passes, and the next request on the connection is answered.

    Its Content-Length passes too, except where another application is around the gateway: there it is left out.
    """
    response = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: a\r\n\r\n"
    with scripted_target(lambda connection, _: connection.sendall(response)) as (port, _):
        app = way(behind.app(target_base_url=f"http://127.0.0.1:{port}"))
        with served(app) as client:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode()
            last = request + b"Connection: close\r\n\r\n"
            received = exchange_bytes(client.base_url.port or 0, request + b"\r\n" + last)
    assert received.count(b"HTTP/1.1 304 ") == received.count(b"x-marked: 1\r\n") == 2
    assert received.count(b"content-length: 1234\r\n") == (0 if way is by_wrapping else 2)


def test_a_304_that_becomes_something_else(behind: Behind) -> None:
    """If a middleware replaces a 304 of the target with a page, the client gets the whole page."""
    app = behind.app()

    @app.middleware("http")
    async def replace(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        return PlainTextResponse("the page", 200) if response.status_code == 304 else response

    response = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"
    with scripted_target(lambda connection, _: connection.sendall(response)) as (port, _):
        app = behind.app(target_base_url=f"http://127.0.0.1:{port}")
        app.middleware("http")(replace)
        with served(app) as client:
            assert [client.get(path).text for path in ("/queued", "/direct", "/queued")] == ["the page"] * 3


@each_server
@pytest.mark.parametrize("path", ["/queued", "/direct", "/gateway_health"])
def test_head_behind_a_middleware(behind: Behind, server: str, path: str) -> None:
    """HEAD is answered with the length that GET would have, without a body, and the middleware sees HEAD."""
    app = behind.app()
    methods = []

    @app.middleware("http")
    async def watch(request: Request, call_next: Next) -> Response:
        methods.append(request.method)
        return await call_next(request)

    with served(app, server) as client:
        head, get = client.head(path), client.get(path)
    assert methods == ["HEAD", "GET"]
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0 < len(get.content)


@each_server
@each_way
def test_a_client_that_leaves(
    behind: Behind, server: str, way: Callable[[GatewayApp], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """If a client leaves, the call to the target ends, and the log has no error, with any middleware between."""
    with served(way(behind.app()), server) as client, socket.socket() as leaving:
        leaving.connect(("127.0.0.1", client.base_url.port or 0))
        leaving.sendall(b"GET /queued?mock_latency=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until("it is at the target", lambda: behind.stack.in_flight() == 1)
        leaving.close()
        wait_until("the call is broken off", lambda: behind.stack.in_flight() == 0)
        assert client.get("/queued").status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_response_that_breaks_off(behind: Behind) -> None:
    """A response that breaks off at the target breaks off at the client, also behind a middleware."""
    app = by_class(behind.app())
    with served(app) as client:
        for path in ("/queued", "/direct"):
            with pytest.raises(httpx.HTTPError):
                client.get(path, params={"mock_size": "3000000", "mock_fault": "truncate"})
        assert client.get("/queued").status_code == 200


@each_server
def test_a_handler_of_exceptions(behind: Behind, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's handler for all exceptions answers if the gateway itself fails."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def handle(request: Request, error: Exception) -> Response:
        return PlainTextResponse("sorry", 500)

    app = behind.app()
    app.add_exception_handler(Exception, handle)
    monkeypatch.setattr("fast_priority.gateway.handler.Gateway.__call__", fail)
    with served(app, server) as client:
        assert client.get("/queued").text == "sorry"


def count_short_cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    taken: list[int] = []
    send_whole = RequestConnection.send_whole

    def counting(self: RequestConnection, status: int, fields: Any, body: bytes) -> None:
        taken.append(status)
        send_whole(self, status, fields, body)

    monkeypatch.setattr(RequestConnection, "send_whole", counting)
    return taken


def test_without_middleware_responses_take_the_short_way(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there are no additions, a response goes to the server in one piece."""
    taken = count_short_cuts(monkeypatch)
    with served(behind.app()) as client:
        assert client.get("/queued").status_code == 200
    assert taken == [200]


@each_way
def test_with_middleware_no_response_takes_the_short_way(
    behind: Behind, way: Callable[[GatewayApp], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there are additions, a response goes in messages."""
    taken = count_short_cuts(monkeypatch)
    with served(way(behind.app())) as client:
        for path in EVERYWHERE:
            assert client.get(path).status_code == 200
    assert taken == []
