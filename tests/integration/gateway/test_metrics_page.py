"""The page of the metrics: who may read it, and what reading it costs."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fast_priority.broker.monitor import QueueMonitor
from tests.harness import problem_of, wait_until
from tests.integration.gateway.embedding_rig import Behind, everything_behind, served

PAGE = "/gateway_metrics"
TOKEN = "0f6c-token"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with everything_behind(tmp_path_factory.mktemp("behind")) as made:
        yield made


@pytest.fixture(scope="module", params=["ours", "uvicorn"])
def client(request: pytest.FixtureRequest, behind: Behind) -> Iterator[httpx.Client]:
    """A client of a gateway without a token."""
    with served(behind.app(), request.param) as made:
        yield made


@pytest.fixture(scope="module")
def guarded(behind: Behind) -> Iterator[httpx.Client]:
    """A client of a gateway with a token."""
    with served(behind.app(operator_token=TOKEN)) as made:
        yield made


def test_it_counts_requests(client: httpx.Client, behind: Behind) -> None:
    """What was forwarded is counted. The page itself is not, and does not reach the target, whatever the method."""
    client.get("/high")
    client.get("/direct?mock_status=404")
    wait_until("both have ended", lambda: 'code="404",level="pass_through"' in client.get(PAGE).text)
    behind.saw()
    first = client.get(PAGE)
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'fast_priority_requests_total{code="200",level="high"} 1.0' in first.text
    assert (
        client.head(PAGE).status_code == client.options(PAGE).status_code == client.get(f"{PAGE}/").status_code == 200
    )
    assert client.post(PAGE).status_code == 405
    received = [line for line in client.get(PAGE).text.splitlines() if line.startswith("fast_priority_received_total ")]
    assert received == ["fast_priority_received_total 2.0"]
    assert behind.saw() == []


def test_openmetrics(client: httpx.Client) -> None:
    """Prometheus gets it in the format that it asks for."""
    response = client.get(PAGE, headers={"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_it_has_the_state_of_the_queues(client: httpx.Client) -> None:
    """The gauges are there as soon as the gateway has looked."""
    wait_until("it has looked", lambda: "\nfast_priority_slots 4.0\n" in client.get(PAGE).text)


def test_reading_it_asks_redis_nothing(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is read, the gateway looks at the queues as often as before."""
    looks: list[object] = []

    async def view(self: QueueMonitor, *_: Any) -> None:
        looks.append(self)

    monkeypatch.setattr(QueueMonitor, "view", view)
    for _ in range(20):
        assert client.get(PAGE).status_code == 200
    assert looks == []


def test_a_remote_client_without_a_token(client: httpx.Client) -> None:
    """What came through a proxy on this machine is refused, and the error names the variable."""
    response = client.get(PAGE, headers={"x-forwarded-for": "192.0.2.7"})
    assert (response.status_code, problem_of(response)["type"]) == (403, "urn:fast-priority:operators-only")
    assert "FAST_PRIORITY_OPERATOR_TOKEN" in problem_of(response)["detail"]


def test_the_token(guarded: httpx.Client) -> None:
    """With a token, only those who send it may read the page, from wherever they come."""
    refused = guarded.get(PAGE)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert problem_of(refused)["request_id"] == refused.headers["x-request-id"]
    assert TOKEN not in refused.text
    fields = {"authorization": f"Bearer {TOKEN}", "x-forwarded-for": "192.0.2.7"}
    assert guarded.get(PAGE, headers=fields).status_code == 200
    assert guarded.get("/gateway_health/live").status_code == 200
