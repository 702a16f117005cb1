"""A failover: the replica may lack the last writes of its master."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.conftest import judge_load, observing
from tests.chaos.failures import AT_TARGET, NEW, QUEUED, REDIS_FAILED_OVER
from tests.chaos.load.background import LONG_TRANSFERS, Load
from tests.chaos.load.judging import Allowed, join_attempts
from tests.harness import Stack, running_stack, wait_until
from tests.sentinels import watched_redis

_BOTH = ("GET", "POST")
_REFUSED_SECONDS = 4.0  # the promise is 2 s


@pytest.mark.failure(REDIS_FAILED_OVER)
def test_failed_over(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Requests at the target are answered; queued ones are retried if idempotent, else answered 502."""
    (tmp_path / "logs").mkdir()
    with (
        watched_redis(tmp_path) as watched,
        running_stack(watched.replica_port, tmp_path / "logs") as stack,
        ExitStack() as parts,
    ):
        observe = observing(request, lambda sent: len(_arrivals(stack, sent)))
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_POLL_INTERVAL="0.5", **watched.settings())
        stack.start_workers(processes=1, concurrency=2 + LONG_TRANSFERS, **watched.settings())
        load = parts.enter_context(Load(stack.gateway_port, watched.replica_port))
        wait_until("the long transfers of the load are at the target", lambda: load.long_transfer_ids < _arrived(stack))
        at_target = _send_each(stack, "/high?mock_latency=8")
        wait_until("both are at the target", lambda: {one.request_id for one in at_target} < _arrived(stack))
        queued = _send_each(stack, "/high")
        wait_until("two requests are queued", lambda: stack.health()["queue"]["high"] == 2)

        watched.master.kill()
        new = _send_each(stack, "/high")
        # A failover in less than 2 s ends before these are refused.
        assert {observe(NEW, one) for one in new} <= {"503 broker-unavailable, 0 attempts", "200, 1 attempt"}
        assert all(one.result().seconds < _REFUSED_SECONDS for one in new if one.result().status == 503)
        assert [observe(AT_TARGET, one) for one in at_target] == ["200, 1 attempt"] * 2
        assert [observe(QUEUED, one) for one in queued] == ["200, 1 attempt", "502 request-lost, 0 attempts"]
        assert all(process.poll() is None for process in stack.processes.values())
        assert stack.client.post("/high").status_code == 200

        seen = join_attempts(load.end(), (row["request_id"] for row in stack.arrivals()))
        judge_load(request, seen, Allowed(refused=True, lost=True, broken=True, unsure=True), load.stalls)


def _send_each(stack: Stack, target: str) -> list[ClientRequest]:
    return [
        ClientRequest(stack.gateway_port, method, target, b"body" if method == "POST" else None) for method in _BOTH
    ]


def _arrived(stack: Stack) -> set[str]:
    return {row["request_id"] for row in stack.arrivals()}


def _arrivals(stack: Stack, sent: ClientRequest) -> list[object]:
    return [row for row in stack.arrivals() if row["request_id"] == sent.request_id]
