"""Where no server runs the application's lifespan, the first request starts the gateway."""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from fast_priority.broker import keys
from fast_priority.gateway import GatewayApp
from fast_priority.local.child_processes import wait_until
from tests.harness import Background, problem_of
from tests.integration.gateway.embedding_rig import Behind, served

PATHS = ["/queued", "/direct", "/gateway_health", "/gateway_docs"]
STARTED = "no lifespan runs on this event loop"


def times_started(caplog: pytest.LogCaptureFixture) -> int:
    return sum(STARTED in record.getMessage() for record in caplog.records)


def signs_of_life(behind: Behind) -> int:
    return len(behind.stack.redis.keys(f"{keys.GATEWAY_PREFIX}*"))


@pytest.mark.parametrize("server", ["ours", "uvicorn"])
@pytest.mark.parametrize("path", PATHS)
def test_a_server_that_runs_no_lifespan(
    behind: Behind, server: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With `--lifespan off` all requests are answered; the log has a line, and the end is in order."""
    with served(behind.app(), server, lifespan="off") as client:
        assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]
        wait_until("it shows life", lambda: signs_of_life(behind) == 1)
    assert times_started(caplog) == 1
    assert signs_of_life(behind) == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("path", PATHS)
def test_a_mounted_gateway(behind: Behind, path: str) -> None:
    """Mounted in an application with a lifespan of its own, it is started by the first request and ends in order."""
    main = FastAPI(openapi_url=None)
    main.mount("/gw", behind.app())
    with served(main) as client:
        assert client.get(f"/gw{path}").status_code == 200
    assert signs_of_life(behind) == 0


def test_a_lifespan_that_the_application_around_runs(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    """If an application runs the gateway's lifespan in its own, the gateway is started before the first request."""
    app = behind.app()

    @asynccontextmanager
    async def lifespan(main: FastAPI) -> AsyncIterator[None]:
        async with app.router.lifespan_context(app):
            yield

    main = FastAPI(lifespan=lifespan)
    main.mount("/gw", app)
    with served(main) as client:
        wait_until("it shows life", lambda: signs_of_life(behind) == 1)
        assert client.get("/gw/queued").status_code == 200
    assert times_started(caplog) == 0


def test_many_first_requests(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    """Concurrent first requests start the gateway once, and are all answered."""
    with served(behind.app(), lifespan="off") as client, Background(16) as background:
        sent = [background.send(lambda: client.get("/queued")) for _ in range(32)]
        assert {one.result().status_code for one in sent} == {200}
        wait_until("it shows life", lambda: signs_of_life(behind) == 1)
    assert times_started(caplog) == 1


async def ask(app: GatewayApp, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=60) as client:
        return await client.get(path)


@pytest.mark.parametrize("path", PATHS)
def test_several_event_loops(behind: Behind, path: str) -> None:
    """Each event loop has a gateway of its own, one after the other, and nothing is left when it has ended."""
    app = behind.app()
    for _ in range(3):
        assert asyncio.run(ask(app, path)).status_code == 200
        assert signs_of_life(behind) == 0


def test_event_loops_side_by_side(behind: Behind) -> None:
    """Gateways on several event loops at once do not disturb each other."""
    app = behind.app()

    async def several() -> list[int]:
        return [(await ask(app, path)).status_code for path in PATHS * 5]

    with Background(4) as background:
        asked = [background.send(lambda: httpx.Response(200, json=asyncio.run(several()))) for _ in range(4)]
        assert [one.result().json() for one in asked] == [[200] * 20] * 4
    assert signs_of_life(behind) == 0


def test_starlettes_client(behind: Behind) -> None:
    """Starlette's TestClient is answered, be it used as a context manager, which runs the lifespan, or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its HTTP client
        from starlette.testclient import TestClient

    app = behind.app()
    client = TestClient(app)
    assert [client.get(path).status_code for path in PATHS] == [200] * 4
    with client:
        assert [client.get(path).status_code for path in PATHS] == [200] * 4
    assert signs_of_life(behind) == 0


def test_after_the_end(behind: Behind) -> None:
    """Once its lifespan has ended on an event loop, the gateway answers 503 there; a new lifespan starts it again."""
    app = behind.app()

    async def before_and_after() -> list[int]:
        statuses = []
        for _ in range(2):
            async with app.router.lifespan_context(app):
                statuses.append((await ask(app, "/queued")).status_code)
            statuses.append((await ask(app, "/queued")).status_code)
            statuses.append((await ask(app, "/gateway_health")).status_code)
            statuses.append((await ask(app, "/gateway_health/live")).status_code)
        return statuses

    assert asyncio.run(before_and_after()) == [200, 503, 503, 200] * 2


def test_middleware_runs_while_the_gateway_is_not_ready(behind: Behind) -> None:
    """A 503 because the gateway is not ready also passes the middleware that users have added."""
    app = behind.app()

    @app.middleware("http")
    async def mark(request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        response.headers["x-marked"] = "1"
        return response

    async def ended() -> list[httpx.Response]:
        async with app.router.lifespan_context(app):
            pass
        return [await ask(app, path) for path in ("/queued", "/direct", "/gateway_health")]

    for response in asyncio.run(ended()):
        assert (response.status_code, response.headers["x-marked"]) == (503, "1")
        assert problem_of(response)["type"] == "urn:fast-priority:gateway-not-ready"
        assert response.headers["retry-after"] == "1"


def test_a_start_that_fails(behind: Behind, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A start that fails is logged with its reason and answered 503; the next request tries it again."""
    monkeypatch.setattr("fast_priority.gateway.startup._AGAIN_SECONDS", 0.05)
    app, failures = behind.app(), ["once", "twice"]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if failures:
            raise ZeroDivisionError(failures.pop())
        yield

    app.include_router(APIRouter(lifespan=lifespan))

    async def asking() -> list[int]:
        statuses = [(await ask(app, "/queued")).status_code]
        async with asyncio.timeout(60):
            while statuses[-1] != 200:
                await asyncio.sleep(0.02)
                statuses.append((await ask(app, "/queued")).status_code)
        return statuses

    assert set(asyncio.run(asking())) == {503, 200}
    logged = [record for record in caplog.records if record.getMessage() == "the gateway cannot start"]
    assert [str(record.exc_info[1]) for record in logged if record.exc_info] == ["twice", "once"]
    assert failures == []


def test_a_redis_that_is_away(behind: Behind) -> None:
    """Without Redis the first request is answered as any other: 503 by the queue, 200 past it."""
    app = behind.app(redis_port=1)
    with served(app, "uvicorn", lifespan="off") as client:
        assert problem_of(client.get("/queued"))["type"] == "urn:fast-priority:broker-unavailable"
        assert client.get("/direct").status_code == 200
        assert client.get("/gateway_health").json()["redis_reachable"] is False
