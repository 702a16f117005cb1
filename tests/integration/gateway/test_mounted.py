"""Below a prefix, the rules, the gateway's pages and the target get the path without it, in every way to set it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI

from fast_priority.broker import keys
from fast_priority.local.child_processes import wait_until
from tests.harness import exchange_bytes
from tests.integration.gateway.embedding_rig import OWN_PAGES, Behind, served

Prefixed = Callable[[Behind], AbstractContextManager[httpx.Client]]


def by_root_path(behind: Behind) -> AbstractContextManager[httpx.Client]:
    """Serve as behind a proxy that strips the prefix: a client of uvicorn leaves it out."""
    return served(behind.app(), "uvicorn", root_path="/gw")


def by_root_path_of_our_server(behind: Behind) -> AbstractContextManager[httpx.Client]:
    return served(behind.app(), "ours", root_path="/gw")


def by_mount(behind: Behind) -> AbstractContextManager[httpx.Client]:
    return served(mounted(behind.app(), "/gw"), "uvicorn")


def by_mount_of_our_server(behind: Behind) -> AbstractContextManager[httpx.Client]:
    return served(mounted(behind.app(), "/gw"), "ours")


def by_two_mounts(behind: Behind) -> AbstractContextManager[httpx.Client]:
    return served(mounted(mounted(behind.app(), "/w"), "/g"), "uvicorn")


def by_root_path_and_mount(behind: Behind) -> AbstractContextManager[httpx.Client]:
    return served(mounted(behind.app(), "/w"), "uvicorn", root_path="/g")


def by_attribute(behind: Behind) -> AbstractContextManager[httpx.Client]:
    """Serve with the attribute `root_path` of the application."""
    app = behind.app()
    app.root_path = "/gw"
    return served(app, "ours")


def by_middleware_and_mount(behind: Behind) -> AbstractContextManager[httpx.Client]:
    """Serve with a middleware added, so that requests take the other way through the application."""
    app = behind.app()
    app.get("/mine")(lambda: "mine")
    return served(mounted(app, "/gw"), "ours")


def mounted(app: Any, prefix: str) -> FastAPI:
    main = FastAPI(openapi_url=None)
    main.mount(prefix, app)
    return main


WAYS: dict[Prefixed, tuple[str, str]] = {
    by_root_path: ("", "/gw"),
    by_root_path_of_our_server: ("", "/gw"),
    by_mount: ("/gw", "/gw"),
    by_mount_of_our_server: ("/gw", "/gw"),
    by_two_mounts: ("/g/w", "/g/w"),
    by_root_path_and_mount: ("/w", "/g/w"),
    by_attribute: ("/gw", "/gw"),
    by_middleware_and_mount: ("/gw", "/gw"),
}
"""For each way: the prefix of the paths of a client, and of the links in pages."""


class Prefix(NamedTuple):
    """A gateway that is served below a prefix, in one of the ways."""

    way: Prefixed
    client: httpx.Client

    @property
    def asked(self) -> str:
        return WAYS[self.way][0]

    @property
    def linked(self) -> str:
        return WAYS[self.way][1]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def below(lasting_behind: Behind, request: pytest.FixtureRequest) -> Iterator[Prefix]:
    """A gateway below a prefix, in each way; it is the same one for all tests."""
    with request.param(lasting_behind) as client:
        yield Prefix(request.param, client)


@pytest.mark.parametrize(
    "path", ["/queued", "/low/a", "/direct", "/docs", "/", "//x", "/a%2Fb%20c", "/%C3%A9;a=b", "/gw/a"]
)
def test_the_target_sees_no_prefix(below: Prefix, path: str) -> None:
    """The target gets what follows the prefix, byte for byte, and the query."""
    sent = f"GET {below.asked}{path}?a=%20&b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange_bytes(below.client.base_url.port or 0, sent.encode())
    echoed = httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2])
    if path == "/docs":
        assert b"swagger" in answer
    else:
        assert (echoed.json()["path"], echoed.json()["query"]) == (path, "a=%20&b")


def test_the_gateways_pages_are_below_the_prefix(behind: Behind, below: Prefix) -> None:
    """Health and documentation answer below the prefix, and link to what is below it."""
    client, asked, linked = below.client, below.asked, below.linked
    for path in OWN_PAGES:
        assert client.get(f"{asked}{path}").status_code == 200, path
        assert client.head(f"{asked}{path}").status_code == 200, path
    for page in ("gateway_docs", "gateway_redoc"):
        assert f"{linked}/gateway_openapi.json" in client.get(f"{asked}/{page}").text
    document = client.get(f"{asked}/gateway_openapi.json").json()
    assert document["servers"] == [{"url": linked}]
    assert "/gateway_health" in document["paths"]
    assert "](docs)" in document["info"]["description"]
    assert behind.saw() == []


def test_rules_see_no_prefix(behind: Behind, below: Prefix) -> None:
    """A path that is low, or skips the queue, does so below the prefix."""
    client, asked = below.client, below.asked
    redis = behind.stack.redis
    with ThreadPoolExecutor(2) as threads:
        assert client.get(f"{asked}/queued").status_code == 200
        redis.set(keys.SUSPENDED, 1)
        try:
            assert client.get(f"{asked}/direct").status_code == 200
            waiting = [threads.submit(client.get, f"{asked}{path}") for path in ("/low/x", "/queued")]
            wait_until("one of each waits", lambda: [redis.llen(lane) for lane in keys.LANES.queues] == [1, 1])
        finally:
            redis.delete(keys.SUSPENDED)
        assert [one.result().status_code for one in waiting] == [200, 200]


@pytest.mark.parametrize("path", ["/queued", "/direct"])
@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_redirect_stays_below_the_prefix(
    below: Prefix, lasting_behind: Behind, path: str, *, is_absolute: bool
) -> None:
    """A redirect of the target, to its own address or to a path, leads to the same place below the prefix."""
    location = f"{lasting_behind.stack.mock_url * is_absolute}/low/a%2Fb?c=%20#d"
    redirect = below.client.get(f"{below.asked}{path}", params={"mock_redirect": location})
    assert (redirect.status_code, redirect.headers["location"]) == (302, f"{below.linked}/low/a%2Fb?c=%20#d")
    # A client of a proxy that strips the prefix sends it; what the proxy does is done here.
    followed = below.client.get(redirect.headers["location"].removeprefix(below.linked.removesuffix(below.asked)))
    assert (followed.json()["path"], followed.json()["query"]) == ("/low/a%2Fb", "c=%20")


def test_a_bare_question_mark(below: Prefix) -> None:
    """Behind our own server an empty query (`?`) arrives, as it does without a prefix."""
    sent = f"GET {below.asked}/a? HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange_bytes(below.client.base_url.port or 0, sent.encode())
    line = httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2]).json()["request_line"]
    ours = (by_root_path_of_our_server, by_mount_of_our_server, by_attribute, by_middleware_and_mount)
    assert line == f"GET /a{'?' * (below.way in ours)} HTTP/1.1"


@pytest.mark.parametrize(
    "below", [by_root_path, by_root_path_of_our_server], ids=lambda way: way.__name__, indirect=True
)
def test_the_server_as_a_whole(below: Prefix) -> None:
    """`OPTIONS *` concerns the target as a whole, and has no prefix."""
    sent = b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = exchange_bytes(below.client.base_url.port or 0, sent)
    assert b'"request_line":"OPTIONS * HTTP/1.1"' in answer


@pytest.mark.parametrize("sent", ["/gwx/a", "/gw%78/a", "/x/gw/a"])
def test_only_whole_segments_are_a_prefix(behind: Behind, sent: str) -> None:
    """A path that only begins with the same letters is not below the prefix, and is forwarded unchanged."""
    with by_attribute(behind) as client:
        assert client.get(sent).json()["path"] == sent


@pytest.mark.parametrize("sent", ["/%67w/a%2Fb", "/g%77/a%2Fb", "/gw%2Fa%2Fb"])
def test_a_prefix_that_is_spelled_otherwise(behind: Behind, sent: str) -> None:
    """A prefix that the outer application has recognised is removed, however a client has encoded it."""
    with by_mount(behind) as client:
        assert client.get(sent).json()["path"] == "/a%2Fb"


def test_a_path_that_a_middleware_has_rewritten(behind: Behind) -> None:
    """If a middleware writes another path into the scope, rules and target get that path."""

    class Rewriting:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["path"] = scope["path"].replace("/v1", "") or "/"
                scope["query_string"] = b"added=1"
            await self._app(scope, receive, send)

    app = behind.app()
    app.add_middleware(Rewriting)
    with served(app) as client:
        for sent, seen in [("/v1/direct", "/direct"), ("/v1/low/é b", "/low/%C3%A9%20b"), ("/a%2Fb", "/a%2Fb")]:
            echoed = client.get(sent).json()
            assert (echoed["path"], echoed["query"]) == (seen, "added=1")
