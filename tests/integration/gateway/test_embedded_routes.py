"""A user's routes come before the target, the gateway's own pages come before both, and all else is forwarded."""

from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends, HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from tests.integration.gateway.embedding_rig import OWN_PAGES, Behind, served

SERVERS = ["ours", "uvicorn"]
each_server = pytest.mark.parametrize("server", SERVERS)


def mine() -> dict[str, str]:
    return {"whose": "mine"}


async def plain(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} is mine")


def is_mine(response: httpx.Response) -> bool:
    return (response.status_code, response.json()) == (200, {"whose": "mine"})


@each_server
def test_a_route_wins_over_the_target(behind: Behind, server: str) -> None:
    """A request for a user's route does not reach the target; every other path does, as without routes."""
    app = behind.app()
    app.get("/mine")(mine)
    with served(app, server) as client:
        assert is_mine(client.get("/mine"))
        assert behind.saw() == []
        for path in ("/other", "/mine/", "/mine/more", "/Mine", "/low/mine", "/direct"):
            assert client.get(path).json()["path"] == path
        assert behind.saw() == ["/other", "/mine/", "/mine/more", "/Mine", "/low/mine", "/direct"]


@each_server
def test_other_methods_of_a_route_are_the_targets(behind: Behind, server: str) -> None:
    """A method that a user's route does not serve is forwarded, and never answered 405."""
    app = behind.app()
    app.get("/mine")(mine)
    app.post("/posted")(mine)
    with served(app, server) as client:
        assert client.post("/mine", content=b"x").json()["method"] == "POST"
        assert client.get("/posted").json()["method"] == "GET"
        assert is_mine(client.post("/posted"))
    assert behind.saw() == ["/mine", "/posted"]


@each_server
def test_head_of_a_route(behind: Behind, server: str) -> None:
    """HEAD goes to the route of GET: a route of Starlette gets HEAD, one of FastAPI gets GET."""
    app = behind.app()
    app.get("/mine")(mine)
    app.add_route("/plain", plain)
    with served(app, server) as client:
        for path in ("/mine", "/plain"):
            head, get = client.head(path), client.get(path)
            assert (head.status_code, head.content, get.status_code) == (200, b"", 200)
        assert client.head("/plain").headers["content-length"] == str(len("HEAD is mine"))
    assert behind.saw() == []


@each_server
def test_a_router(behind: Behind, server: str) -> None:
    """The routes of an included router are served below its prefix, with its dependencies; the rest is forwarded."""
    router = APIRouter()

    def refuse(request: Request) -> None:
        if "x-bad" in request.headers:
            raise HTTPException(403)

    router.get("/mine")(mine)
    app = behind.app()
    app.include_router(router, prefix="/below", dependencies=[Depends(refuse)])
    with served(app, server) as client:
        assert is_mine(client.get("/below/mine"))
        assert client.get("/below/mine", headers={"x-bad": "1"}).status_code == 403
        assert behind.saw() == []
        assert client.get("/below/other").json()["path"] == "/below/other"
        assert client.post("/below/mine").json()["path"] == "/below/mine"


@each_server
def test_a_mount(behind: Behind, server: str, tmp_path: Path) -> None:
    """A mounted application gets all paths below its own, by whole segments, and its 404 is returned."""
    (tmp_path / "a.txt").write_text("a file")
    app = behind.app()
    app.mount("/static", StaticFiles(directory=tmp_path))
    with served(app, server) as client:
        assert client.get("/static/a.txt").text == "a file"
        assert client.get("/static/none").status_code == 404
        assert behind.saw() == []
        assert client.get("/statics/a.txt").json()["path"] == "/statics/a.txt"


@each_server
@pytest.mark.parametrize("path", OWN_PAGES)
def test_the_gateways_pages_stay(behind: Behind, server: str, path: str) -> None:
    """No user's route replaces a page of the gateway, in whatever order it was added and whatever it matches."""
    app = behind.app()
    app.get(path)(mine)
    app.add_api_route("/{anything:path}", mine)
    app.router.routes.insert(0, Route("/{anything:path}", plain))
    with served(app, server) as client:
        assert client.get("/anything").text == "GET is mine"
        for spelled in (path, f"{path}/"):
            response = client.get(spelled)
            assert response.status_code == 200
            assert response.text not in ("GET is mine", '{"whose":"mine"}')
            assert client.head(spelled).status_code == 200
        assert client.post(path).status_code == 405


@each_server
def test_routes_in_the_gateways_documentation(behind: Behind, server: str) -> None:
    """The OpenAPI document describes a user's routes beside the gateway's own."""
    app = behind.app()
    app.get("/mine")(mine)
    with served(app, server) as client:
        assert {"/mine", "/gateway_health"} <= set(client.get("/gateway_openapi.json").json()["paths"])


@each_server
def test_routes_that_are_added_late(behind: Behind, server: str) -> None:
    """A route may be added while requests are served."""
    app = behind.app()
    with served(app, server) as client:
        assert client.get("/mine").json()["path"] == "/mine"
        app.get("/mine")(mine)
        assert is_mine(client.get("/mine"))


@each_server
def test_a_front_end(behind: Behind, server: str, tmp_path: Path) -> None:
    """FastAPI's `frontend` serves files below its path; other methods and other paths are forwarded."""
    (tmp_path / "index.html").write_text("a page")
    app = behind.app()
    if not hasattr(app, "frontend"):
        pytest.skip("this FastAPI has no frontend")
    app.frontend("/site", directory=str(tmp_path))
    with served(app, server) as client:
        assert client.get("/site/").text == "a page"
        assert behind.saw() == []
        assert client.post("/site/", content=b"x").json()["method"] == "POST"
        assert client.get("/other").json()["path"] == "/other"
        assert client.get("/gateway_health/live").json() == {"status": "alive"}


@each_server
def test_routes_need_no_redis(behind: Behind, server: str) -> None:
    """A user's route is served without Redis and target."""
    app = behind.app(target_base_url="http://127.0.0.1:1", redis_port=1)
    app.get("/mine")(mine)
    with served(app, server) as client:
        assert is_mine(client.get("/mine"))
        assert client.get("/queued").status_code == 503
