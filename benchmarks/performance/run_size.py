"""The size of a run: rounds, seconds, connections and requests. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunSize:
    """How often, how long and with how much load each part measures; seconds are those of one figure."""

    rounds: int = 5
    ways_rounds: int = 3
    connections: tuple[int, ...] = (1, 16, 64, 256, 1024)
    service_times_ms: tuple[int, ...] = (0, 10, 100)
    ways_seconds: int = 2
    stock_seconds: int = 8
    """For stock rq workers; in the part `ways` they are measured in the first round only."""
    seconds: int = 4
    busy_seconds: int = 3
    idle_seconds: int = 20
    few_queued: int = 100
    many_queued: int = 10_000
    depth_rounds: int = 3
    depth_seconds: int = 6
    waiting_clients: int = 10_000
    check_order: bool = True
    """Whether the order behind two gateways and two worker processes is checked, which takes half a minute."""
    traced_requests: int = 300
    stream_events: int = 200
    """In each of 64 streams, 40 a second."""
    original_python: str = ""
    """The Python of an environment with the original fast-priority 1.x; empty: it is not compared."""
    litellm_python: str = ""
    """The same for LiteLLM's proxy."""


FULL = RunSize()
QUICK = RunSize(
    rounds=1, ways_rounds=1, connections=(1, 256), service_times_ms=(0, 10), ways_seconds=1, stock_seconds=3,
    seconds=2, busy_seconds=2, idle_seconds=5, many_queued=2000, depth_rounds=1, depth_seconds=3, waiting_clients=2000,
    check_order=False, traced_requests=100, stream_events=40,
)  # fmt: skip
