"""A gateway, its Redis, and a worker if it has no slots of its own, in front of the streaming target."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.observation import MemoryPeak
from benchmarks.support import captured_output, fetch_json
from benchmarks.systems import (
    GatewayStack,
    running_gateway_stack,
    running_gateways_with_slots,
    running_streaming_target,
)

PASS_THROUGH = "/passed"  # the prefix of paths that are passed through
_PASS_THROUGH_PATHS = "passed/download,passed/upload,passed/events"


@dataclass(frozen=True, slots=True)
class StreamingStack:
    """A running stack, and the prefix of the paths that are measured: "" for the queue, or PASS_THROUGH."""

    gateways: GatewayStack
    target_url: str
    prefix: str

    @property
    def gateway_port(self) -> int:
        """Return the port of the gateway on loopback."""
        return _port(self.gateways.urls[0])

    @property
    def target_port(self) -> int:
        """Return the port of the target on loopback."""
        return _port(self.target_url)

    def target_state(self) -> dict[str, int]:
        """Return how many responses the target is sending, and how many clients left during one."""
        return fetch_json(f"{self.target_url}/state")

    def memory_peak(self) -> MemoryPeak:
        """Return a context manager that measures the memory of gateway, worker and Redis."""
        processes = self.gateways.processes
        return MemoryPeak({name: processes[name][0] for name in ("gateway", "worker") if name in processes},
                          self.gateways.redis_socket)  # fmt: skip


@contextmanager
def running_streaming_stack(
    slots: int, max_body_bytes: int, prefix: str = "", *, with_worker: bool = False
) -> Iterator[StreamingStack]:
    """Run the stack with this number of slots, in the gateway or in one worker process; 0 slots: nothing is sent."""
    settings = {"FAST_PRIORITY_PASS_THROUGH": _PASS_THROUGH_PATHS, "FAST_PRIORITY_MAX_BODY": str(max_body_bytes)}
    with (
        captured_output() as output,
        running_streaming_target(output) as target_url,
        (
            running_gateway_stack(target_url, output, slots, settings=settings)
            if with_worker or not slots
            else running_gateways_with_slots(target_url, output, slots, settings=settings)
        ) as gateways,
    ):
        yield StreamingStack(gateways, target_url, prefix)


def _port(url: str) -> int:
    return urlsplit(url).port or 80
