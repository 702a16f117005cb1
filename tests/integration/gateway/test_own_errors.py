"""What a client gets when the gateway itself, or an application around it, fails."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.types import Scope

from fast_priority.gateway import GatewayApp
from tests.harness import problem_of
from tests.integration.gateway.embedding_rig import Behind, everything_behind, served


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with everything_behind(tmp_path_factory.mktemp("behind")) as found:
        yield found


def fail(*_: Any) -> Any:
    """Fail as a bug would."""
    raise ZeroDivisionError("a secret detail")


def in_the_gateway(app: GatewayApp, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("fast_priority.gateway.client_request.without_websocket_fields", fail)
    monkeypatch.setattr("fast_priority.gateway.client_request.Hop.of", fail)
    return "/queued"


def in_an_own_page(app: GatewayApp, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("fast_priority.gateway.health.HealthChecks.readiness", fail)
    return "/gateway_health/ready"


def in_a_route(app: GatewayApp, monkeypatch: pytest.MonkeyPatch) -> str:
    app.get("/mine")(lambda: fail())
    return "/mine"


def in_a_middleware(app: GatewayApp, monkeypatch: pytest.MonkeyPatch) -> str:
    class Fails:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
            await (self.inner(scope, receive, send) if scope["type"] == "lifespan" else fail())

    app.add_middleware(Fails)
    return "/queued"


@pytest.mark.parametrize("server", ["ours", "uvicorn"])
@pytest.mark.parametrize("breaks", [in_the_gateway, in_an_own_page, in_a_route, in_a_middleware])
def test_an_unforeseen_error_is_a_problem(
    behind: Behind, server: str, breaks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is raised, the client gets problem+json without its text, and a listed page may read it."""
    app = behind.app(cors_origins="https://app.example")
    path = breaks(app, monkeypatch)
    with served(app, server) as client:
        response = client.get(path, headers={"Origin": "https://app.example"})
        assert response.status_code == 500
        assert problem_of(response)["type"] == "urn:fast-priority:unforeseen-error"
        assert "secret" not in response.text
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        monkeypatch.undo()
        assert client.get("/gateway_health/live").status_code == (500 if breaks is in_a_middleware else 200)
