"""The concurrency limit on a running mock, with clients on connections of their own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.integration.mock_target.mock_process import RunningMock, running_mock, wait_until


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock("--latency", "0.005", "--limit", "2", "--max-queued", "1") as mock:
        yield mock


@pytest.fixture(autouse=True)
def _from_the_start(mock: RunningMock) -> None:
    mock.request("POST", "/__admin/reset")


def test_never_more_than_the_limit_are_worked_on(mock: RunningMock) -> None:
    """Of many requests at once some work, some wait and some are refused; nothing else happens to them."""
    mock.request("PATCH", "/__admin/settings", json={"max_queued": 10})
    with ThreadPoolExecutor(30) as threads:
        statuses = [answer.status_code for answer in threads.map(lambda _: mock.get("/"), range(120))]
    report = mock.report()
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) == report["rejected"]
    assert report["max_working"] == 2
    assert report["max_in_flight"] > 2
    assert (report["working"], report["queued"], report["in_flight"]) == (0, 0, 0)


def test_requests_are_admitted_first_come_first_served(mock: RunningMock) -> None:
    """Work starts in the order of arrival."""
    mock.request("PATCH", "/__admin/settings", json={"max_queued": 100})
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda _: mock.get("/"), range(40)))
    started = [arrival["work_started_at"] for arrival in mock.report()["arrivals"]]
    assert started == sorted(started)


def test_a_refused_request_gets_retry_after(mock: RunningMock) -> None:
    """With the limit and the queue full, the next is refused with Retry-After; a change lets those who wait in."""
    mock.request("PATCH", "/__admin/settings", json={"limit_status": 429, "retry_after": 9})
    with ExitStack() as connections:
        for _ in range(3):
            connections.enter_context(mock.send("/?mock_latency=3600"))
        wait_until("two work and one waits", lambda: (mock.report()["working"], mock.report()["queued"]) == (2, 1))
        refused = mock.get("/")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "9")
        mock.request("PATCH", "/__admin/settings", json={"limit": 3})
        wait_until("three work", lambda: mock.report()["working"] == 3)
    wait_until("all have left", lambda: mock.in_flight() == 0)


def test_a_client_that_leaves_the_queue_is_not_worked_on(mock: RunningMock) -> None:
    """A client that hangs up while it waits makes room at once."""
    with mock.send("/?mock_latency=3600"), mock.send("/?mock_latency=3600"):
        wait_until("two work", lambda: mock.report()["working"] == 2)
        with mock.send("/waits"):
            wait_until("one waits", lambda: mock.report()["queued"] == 1)
        wait_until("nobody waits", lambda: mock.report()["queued"] == 0)
        waited = next(arrival for arrival in mock.report()["arrivals"] if arrival["path"] == "/waits")
        assert waited["finished_at"] is not None
        assert waited["work_started_at"] is None
    wait_until("all have left", lambda: mock.in_flight() == 0)
