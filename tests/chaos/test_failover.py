"""A replica that takes its master's place: it may have missed the last that the master did."""

from pathlib import Path

import pytest

from tests.chaos.asking import Asked
from tests.chaos.conftest import seeing
from tests.chaos.failures import AT_TARGET, NEW, QUEUED, REDIS_FAILED_OVER
from tests.harness import Stack, running_stack, wait_until
from tests.sentinels import watched_redis

_BOTH = ("GET", "POST")
_REFUSED_SECONDS = 4.0  # 2 s are promised


@pytest.mark.failure(REDIS_FAILED_OVER)
def test_failed_over(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What is at the target is answered all the same; what waited goes again if idempotent, else it is 502."""
    (tmp_path / "logs").mkdir()
    with watched_redis(tmp_path) as watched, running_stack(watched.replica_port, tmp_path / "logs") as stack:
        see = seeing(request, lambda asked: len(_arrivals(stack, asked)))
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.5", **watched.settings())
        stack.start_workers(processes=1, concurrency=2, **watched.settings())
        at_target = _ask_each(stack, "/high?mock_latency=8")
        wait_until("both are at the target", lambda: stack.in_flight() == 2)
        queued = _ask_each(stack, "/high")
        wait_until("two wait", lambda: stack.queued() == 2)

        watched.master.kill()
        new = _ask_each(stack, "/high")
        assert [see(NEW, one) for one in new] == ["503 broker-unavailable, 0 attempts"] * 2
        assert all(one.answer().seconds < _REFUSED_SECONDS for one in new)
        assert [see(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 2
        assert [see(QUEUED, one) for one in queued] == ["200, 1 attempt", "502 request-lost, 0 attempts"]
        assert all(process.poll() is None for process in stack.processes.values())
        assert stack.client.post("/high").status_code == 200


def _ask_each(stack: Stack, target: str) -> list[Asked]:
    return [Asked(stack.gateway_port, method, target, b"body" if method == "POST" else None) for method in _BOTH]


def _arrivals(stack: Stack, asked: Asked) -> list[object]:
    return [row for row in stack.arrivals() if row["request_id"] == asked.request_id]
