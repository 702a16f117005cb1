"""Two gateways on one Redis, each with path settings of its own: together they keep one order."""

from functools import partial
from typing import Any

import httpx
import pytest

from fast_priority.local.child_processes import gateway_process, wait_until_answers
from tests.acceptance.held_target import OK, held_target
from tests.harness import Background, Stack, free_port, wait_until

CLIENT: dict[str, Any] = {"timeout": 60, "trust_env": False}
# In the order of sending: the gateway, the path, and the level that its own settings give it.
SENT = [
    ("first", "/batch/1", "low"),
    ("second", "/batch/2", "high"),
    ("second", "/report/3", "low"),
    ("first", "/report/4", "high"),
    ("first", "/batch/5", "low"),
    ("second", "/chat/6", "high"),
    ("first", "/chat/7", "high"),
    ("second", "/report/8", "low"),
]


def slots_of(gateway: str, slots_in: str) -> dict[str, str]:
    return {"FAST_PRIORITY_SLOTS": "1" if gateway == slots_in else "0"}


@pytest.mark.parametrize("slots_in", ["first", "second", "worker"])
def test_gateways_with_other_paths_keep_one_order(stack: Stack, slots_in: str) -> None:
    """High requests of both gateways go first, then low ones, each in the order in which they came to either."""
    port = free_port()
    urls = {"first": stack.url, "second": f"http://127.0.0.1:{port}"}
    with held_target() as target, Background(len(SENT) + 1) as background:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        stack.start_gateway(FAST_PRIORITY_PRIO_BASE_PATHS="batch", **slots_of("first", slots_in))
        second = gateway_process(
            stack.mock_url, "127.0.0.1", port, stack.redis_port,
            FAST_PRIORITY_PRIO_BASE_PATHS="report", **slots_of("second", slots_in),
        )  # fmt: skip
        wait_until_answers(stack.start(second), "second gateway", f"{urls['second']}/gateway_health/live")
        if slots_in == "worker":
            stack.start_workers(concurrency=1)
        background.send(partial(httpx.get, f"{stack.url}/held", **CLIENT))
        target.until_asked(1)
        for count, (gateway, path, _) in enumerate(SENT, start=1):
            background.send(partial(httpx.get, urls[gateway] + path, **CLIENT))
            wait_until(f"{path} waits", partial(is_queued, stack, count))
        for number in range(len(SENT) + 1):
            target.until_asked(number + 1)
            target.answer(number, OK)
    by_level = [path for wanted in ("high", "low") for _, path, level in SENT if level == wanted]
    assert target.paths() == ["/held", *by_level]


def is_queued(stack: Stack, count: int) -> bool:
    return stack.queued() == count
