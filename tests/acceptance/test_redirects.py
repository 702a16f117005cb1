"""Redirects of a target that writes its own address into them: clients that follow them stay at the gateway."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from tests.harness import Stack, exchange_bytes, running_stack, scripted_target
from tests.integration.gateway.embedding_rig import served
from tests.redis_servers import loopback_redis

PATHS = ["/items", "/direct"]
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "YQ==",
}
DIRECT = {"FAST_PRIORITY_PASS_THROUGH": "direct"}
LARGE = 300_000


def api() -> FastAPI:
    """Return an application at `/v1` that answers `/v1/items` with a redirect to the absolute URL of `/v1/items/`."""
    routes = FastAPI()

    @routes.api_route("/items/", methods=["GET", "HEAD"])
    @routes.api_route("/direct/", methods=["GET", "HEAD"])
    def read(request: Request) -> dict[str, Any]:
        return {"url": str(request.url)}

    @routes.post("/items/")
    @routes.post("/direct/")
    def create(request: Request, size: int = 0) -> Response:
        url = f"{request.url.replace(query='')}7?new=%20#end"
        return Response(b"x" * size, 201, {"Location": url, "Content-Location": url})

    main = FastAPI(openapi_url=None)
    main.mount("/v1", routes)
    return main


@pytest.fixture(scope="module")
def redirecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway and a worker in front of that application, with `/v1` in the target's base URL."""
    with (
        served(api(), "uvicorn", ws="none") as target,
        loopback_redis() as port,
        running_stack(port, tmp_path_factory.mktemp("redirects")) as stack,
    ):
        stack.mock_url = f"http://127.0.0.1:{target.base_url.port}/v1"
        stack.start_gateway(**DIRECT)
        stack.start_workers()
        yield stack


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_follows_stays_at_the_gateway(redirecting: Stack, path: str) -> None:
    """A redirect to the target's own address leads a client to the same place at the gateway."""
    response = redirecting.client.get(f"{path}?a=%20", follow_redirects=True)
    (redirect,) = response.history
    assert (redirect.status_code, redirect.headers["location"]) == (307, f"{path}/?a=%20")
    assert str(response.url) == f"{redirecting.url}{path}/?a=%20"
    assert response.json() == {"url": f"{redirecting.mock_url}{path}/?a=%20"}


@pytest.mark.parametrize("path", PATHS)
def test_head_gets_the_same_location(redirecting: Stack, path: str) -> None:
    """A redirect that answers HEAD has the Location of the one that answers GET."""
    response = redirecting.client.head(path)
    assert (response.status_code, response.headers["location"], response.content) == (307, f"{path}/", b"")


@pytest.mark.parametrize("size", [0, LARGE])
@pytest.mark.parametrize("path", PATHS)
def test_what_was_created_is_at_the_gateway(redirecting: Stack, path: str, size: int) -> None:
    """A 201 names what was created in Location and Content-Location, whole or streamed."""
    response = redirecting.client.post(f"{path}/", params={"size": size})
    assert (response.status_code, len(response.content)) == (201, size)
    assert response.headers["location"] == response.headers["content-location"] == f"{path}/7?new=%20#end"


@pytest.mark.parametrize("path", PATHS)
def test_a_client_of_an_earlier_version(redirecting: Stack, path: str) -> None:
    """A client that names no host, in HTTP/1.0, gets the path as well: it needs no host of the gateway."""
    answer = exchange_bytes(redirecting.gateway_port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert f"\r\nlocation: {path}/\r\n".encode() in answer


@pytest.mark.parametrize("path", PATHS)
def test_a_handshake_that_is_redirected(redirecting: Stack, path: str) -> None:
    """The answer to a declined handshake of a WebSocket leads to the gateway, too."""
    client = HTTPConnection("127.0.0.1", redirecting.gateway_port, timeout=30)
    client.request("GET", path, headers=HANDSHAKE)
    response = client.getresponse()
    response.read()
    client.close()
    assert (response.status, response.getheader("location")) == (307, f"{path}/")


def test_with_a_stock_worker(stack: Stack) -> None:
    """The gateway rewrites a Location whatever worker has answered."""
    with target_that_redirects(stack, "/elsewhere/?a=1"):
        stack.start_gateway()
        stack.start_stock_worker()
        assert stack.client.get("/queued").headers["location"] == "/elsewhere/?a=1"


@contextmanager
def target_that_redirects(stack: Stack, path: str) -> Iterator[list[bytes]]:
    """Run a target that answers each request with a redirect to this path at its own address; yield the heads."""

    def answer(connection: socket.socket, head: bytes) -> None:
        location = f"{stack.mock_url}{path}".encode()
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location)

    with scripted_target(answer) as (port, heads):
        stack.mock_url = f"http://127.0.0.1:{port}"
        yield heads


def test_no_path_becomes_a_host(stack: Stack) -> None:
    """A redirect of the target to a path that begins with two slashes does not lead clients to another host."""
    with target_that_redirects(stack, "//evil.example/x"):
        stack.start_gateway(**DIRECT)
        redirect = stack.client.get("/direct")
        assert redirect.headers["location"] == "/.//evil.example/x"
        assert redirect.next_request is not None
        assert redirect.next_request.url.host == httpx.URL(stack.url).host
