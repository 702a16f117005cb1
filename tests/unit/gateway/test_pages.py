"""Which paths are the gateway's own."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fast_priority import create_app
from fast_priority.errors import ConfigurationError
from fast_priority.gateway.health import HealthChecks
from fast_priority.gateway.pages import OwnPages, add_pages, documentation_options
from fast_priority.settings import GATEWAY_OPENAPI_PATH, Settings


def no_checks() -> HealthChecks:
    raise AssertionError("nothing is checked here")


def pages_of(settings: Settings) -> OwnPages:
    app = FastAPI(**documentation_options(settings))
    add_pages(app, settings.health_path, no_checks, lambda: False)
    return OwnPages(app.router.routes)


def has(pages: OwnPages, path: str, root_path: str = "") -> bool:
    return pages.has({"type": "http", "path": path, "root_path": root_path})


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path}")


def test_each_page_of_the_settings_is_own() -> None:
    """Documentation, its helper page for OAuth2, and health are at the paths of the settings, and nowhere else."""
    settings = Settings.load(doc_path="/a/docs", redoc_path="/b", health_path="/c")
    pages = pages_of(settings)
    own = ("/a/docs", "/a/docs/oauth2-redirect", "/b", GATEWAY_OPENAPI_PATH, *settings.health_paths)
    assert all(has(pages, path) for path in own)
    assert not any(has(pages, path) for path in ("/", "/docs", "/docs/oauth2-redirect", "/gateway_docs", "/c/x", "/a"))


@pytest.mark.parametrize("path", ["/c", "/c/", "/c//"])
def test_slashes_at_the_end(path: str) -> None:
    """A page is the same with slashes at the end of its path."""
    assert has(pages_of(Settings.load(health_path="/c")), path)


def test_pages_below_a_prefix() -> None:
    """Below a prefix, the path behind it counts."""
    pages = pages_of(Settings.load(health_path="/c"))
    assert has(pages, "/prefix/c", "/prefix")
    assert not has(pages, "/prefix/prefix/c", "/prefix")


async def test_the_documentation_page_names_its_helper() -> None:
    """The page of the documentation sends an OAuth2 login back to the gateway's own helper page, not to the target."""
    app = FastAPI(**documentation_options(Settings.load()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert "'/gateway_docs/oauth2-redirect'" in (await client.get("/gateway_docs")).text
        assert (await client.get("/gateway_docs/oauth2-redirect")).status_code == 200


async def test_a_route_is_all_that_a_page_needs() -> None:
    """A path is the gateway's own because a route has it; HEAD is answered as GET."""
    pages = OwnPages([Route("/new", page)])
    assert has(pages, "/new")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://gateway") as client:
        assert (await client.get("/new/")).text == "GET /new"
        assert (await client.head("/new")).status_code == 200


def test_two_pages_at_one_path() -> None:
    """A path that two pages have is refused when the gateway is built: one of them could not be reached."""
    settings = Settings.load(target_base_url="http://x", doc_path="/a", redoc_path="/a/oauth2-redirect")
    with pytest.raises(ConfigurationError, match="/a/oauth2-redirect"):
        create_app(settings)
