"""The traffic of a soak: which requests are sent when, drawn from a seed. Pure."""

import random
from collections.abc import Iterator
from dataclasses import replace

from tests.chaos.load.plan import WITH_BODY, Kind, Plan, Priority

SERVICE_SECONDS = 0.1
_METHODS = {"GET": 50, "POST": 30, "PUT": 10, "DELETE": 10}
_HIGH_SHARE = 0.4
_STREAMED_SHARE = 0.05
# Uploads of slow clients, just above the minimum of 500 bytes a second. Each takes 2 s.
_SLOW_SHARE = 0.004
_SLOW_BYTES, _SLOW_BYTES_PER_SECOND = 1_200, 600
_SOCKET_SHARE = 0.02
_DECLINED_SOCKET_SHARE = 0.01
_DISCONNECTING_SHARE = 0.03
_LONGEST_WAIT_SECONDS = 0.5
# Sometimes many high requests come at once: the last of them wait long enough to show an inversion.
_BURST_EVERY = 300
_BURST = 60


def plan_traffic(seed: int, requests_per_second: float, gateways: int) -> Iterator[Plan]:
    """Yield requests for ever, at random times of that rate, and bursts; the same ones for the same seed."""
    rng = random.Random(seed)
    after_seconds, number = 0.0, 0
    while True:
        after_seconds += rng.expovariate(requests_per_second)
        if rng.random() < 1 / _BURST_EVERY:
            for _ in range(_BURST):
                number += 1
                gateway = rng.randrange(gateways)
                yield _plan(f"{seed}-{number}", after_seconds, "GET", "high", gateway)
        number += 1
        method = rng.choices(list(_METHODS), list(_METHODS.values()))[0]
        priority: Priority = "high" if rng.random() < _HIGH_SHARE else "low"
        plan = _plan(f"{seed}-{number}", after_seconds, method, priority, rng.randrange(gateways))
        plan = _with_kind(plan, rng.random())
        if plan.kind not in (Kind.SOCKET, Kind.DECLINED_SOCKET) and rng.random() < _DISCONNECTING_SHARE:
            plan = replace(plan, leaves_after_seconds=rng.uniform(0.0, _LONGEST_WAIT_SECONDS))
        yield plan


def _plan(request_id: str, after_seconds: float, method: str, priority: Priority, gateway: int) -> Plan:
    latency = f"exponential:{SERVICE_SECONDS}"
    return Plan(request_id, after_seconds, method, priority, gateway, latency=latency)


def _with_kind(plan: Plan, drawn: float) -> Plan:
    """Return the plan with the kind that `drawn`, from 0 to 1, selects: most stay short requests."""
    if drawn < _STREAMED_SHARE:
        kinds = {"GET": Kind.DOWNLOAD} | dict.fromkeys(WITH_BODY, Kind.UPLOAD)
        return replace(plan, kind=kinds.get(plan.method, Kind.SHORT))
    drawn -= _STREAMED_SHARE
    if drawn < _SLOW_SHARE:
        slow = replace(plan, size_bytes=_SLOW_BYTES, bytes_per_second=_SLOW_BYTES_PER_SECOND)
        return replace(slow, kind=Kind.UPLOAD, method="POST")
    drawn -= _SLOW_SHARE
    if drawn < _SOCKET_SHARE:  # the mock target's WebSockets have one path, which is high
        return replace(plan, kind=Kind.SOCKET, method="GET", priority="high")
    if drawn < _SOCKET_SHARE + _DECLINED_SOCKET_SHARE:
        return replace(plan, kind=Kind.DECLINED_SOCKET, method="GET")
    return plan
