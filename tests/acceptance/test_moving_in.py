"""What the public integration tests of fast-priority 1.x ask of a gateway, in front of a FastAPI application.

Each request is sent to the application itself and through the gateway, with the settings of 1.x, and redirects are
followed. What differs on purpose is here: every response has a `Via`, and the target's pages are not rewritten.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI, HTTPException

from tests.harness import CLIENT_OPTIONS, Stack, running_stack
from tests.integration.gateway.embedding_rig import served
from tests.redis_servers import loopback_redis

SETTINGS_OF_1 = {"FAST_PRIORITY_PRIO_PATHS": "jobs/", "FAST_PRIORITY_PRIO_BASE_PATHS": "batch/"}


def api() -> FastAPI:
    """Return an application whose paths end with a slash, so that FastAPI redirects those without one."""
    application = FastAPI()

    @application.get("/items/")
    @application.get("/jobs/")
    @application.get("/batch/items/")
    def read(number: int, text: str, factor: float | None = None) -> dict[str, Any]:
        return {"read": [number, text, factor]}

    @application.get("/broken/")
    def fail(status: int) -> None:
        raise HTTPException(status, f"asked to answer {status}")

    @application.post("/items/")
    def create(name: Annotated[str, Body()], size: Annotated[int, Body()]) -> dict[str, Any]:
        return {"created": [name, size]}

    return application


@pytest.fixture(scope="module", params=["our worker", "stock worker"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Stack]]:
    """The application's own address, and a gateway in front of it with a worker of either kind."""
    with (
        served(api(), "uvicorn") as target,
        loopback_redis() as port,
        running_stack(port, tmp_path_factory.mktemp("moving-in")) as stack,
    ):
        stack.mock_url = str(target.base_url)
        stack.start_gateway(**SETTINGS_OF_1)
        if request.param == "our worker":
            stack.start_workers()
        else:
            stack.start_stock_worker()
        yield stack.mock_url, stack


def ask(both: tuple[str, Stack], method: str, path: str, **options: Any) -> tuple[httpx.Response, httpx.Response]:
    """Return the response of the target itself, and the one through the gateway, after all redirects."""
    direct_url, stack = both
    with httpx.Client(**{**CLIENT_OPTIONS, "follow_redirects": True}) as client:
        direct = client.request(method, f"{direct_url.rstrip('/')}{path}", **options)
        through = client.request(method, f"{stack.url}{path}", **options)
    assert through.url.port == stack.gateway_port
    return direct, through


def assert_same(direct: httpx.Response, through: httpx.Response) -> None:
    assert (through.status_code, through.content) == (direct.status_code, direct.content)
    assert set(through.headers) == {*direct.headers, "via", "server-timing", "x-request-id"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/items?number=1&text=abc", 200),
        ("/jobs?number=1&text=abc", 200),
        ("/batch/items?number=1&text=abc", 200),
        ("/jobs?number=1&factor=1.2", 422),
        ("/broken/?status=500", 500),
        ("/broken/?status=404", 404),
    ],
)
def test_a_get_ends_in_the_answer_of_the_target(both: tuple[str, Stack], path: str, status: int) -> None:
    """A GET has the target's status, body and field names, also at the end of a redirect, of high and low paths."""
    direct, through = ask(both, "GET", path)
    assert through.status_code == status
    assert_same(direct, through)


@pytest.mark.parametrize(("body", "status"), [({"name": "a", "size": 1}, 200), ({"name": "a"}, 422)])
def test_a_post_ends_in_the_answer_of_the_target(both: tuple[str, Stack], body: dict[str, Any], status: int) -> None:
    """A POST has the target's status, body and field names; after a 307 its body is sent again."""
    direct, through = ask(both, "POST", "/items", json=body)
    assert (through.status_code, len(through.history)) == (status, 1)
    assert_same(direct, through)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_of_the_target_load_their_document(both: tuple[str, Stack], path: str) -> None:
    """The target's pages are passed on unchanged, and the document that they name loads through the gateway."""
    direct, through = ask(both, "GET", path)
    assert_same(direct, through)
    assert "/openapi.json" in through.text
    assert_same(*ask(both, "GET", "/openapi.json"))


def test_the_document_has_the_address_of_1(both: tuple[str, Stack]) -> None:
    """The target's document is also at the address that 1.x gives it."""
    direct_url, stack = both
    direct = stack.client.get(f"{direct_url.rstrip('/')}/openapi.json")
    assert stack.client.get("/target_openapi.json").content == direct.content
