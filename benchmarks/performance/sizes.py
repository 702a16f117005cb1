"""How large a run of the measurements is. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often, for how long and with how much; seconds are those of one figure."""

    rounds: int = 5
    grid_rounds: int = 3
    connections: tuple[int, ...] = (1, 16, 64, 256, 1024)
    services_ms: tuple[int, ...] = (0, 10, 100)
    grid_seconds: int = 2
    stock_seconds: int = 8
    """For stock rq workers; among all ways, they take part in the first round only."""
    seconds: int = 4
    busy_seconds: int = 3
    few_queued: int = 100
    many_queued: int = 10_000
    depth_rounds: int = 3
    depth_seconds: int = 6
    crowd: int = 10_000
    proves_order: bool = True
    """Whether the order behind two gateways and two worker processes is proved, which takes half a minute."""
    traced: int = 300
    """Requests whose way is followed one by one."""


FULL = Sizes()
QUICK = Sizes(
    rounds=1, grid_rounds=1, connections=(1, 256), services_ms=(0, 10), grid_seconds=1, stock_seconds=3, seconds=2,
    busy_seconds=2, many_queued=2000, depth_rounds=1, depth_seconds=3, crowd=2000, proves_order=False, traced=100,
)  # fmt: skip
