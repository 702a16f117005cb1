"""A gateway, its Redis and its worker in front of the streaming target, all of it on loopback."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import ProxyHandler, build_opener

from benchmarks.support.programs import tail_shown_on_failure
from fast_priority.embedded_redis import embedded_redis
from fast_priority.free_ports import free_port
from fast_priority.stack import Part, gateway_part, running, wait_until_answers, wait_until_slots, worker_part

PASSED = "/passed"  # what stands before a path that goes past the queue
_PASSED_PATHS = "passed/download,passed/upload,passed/events"
_LOOK_WITHIN_SECONDS = 30  # a gateway with a thousand uploads at hand is slow to answer
_no_proxy = build_opener(ProxyHandler({}))


@dataclass
class Stack:
    """Where things are, and what stands before the paths that are measured: "" for the queue, or PASSED."""

    way: str
    gateway_port: int
    target_port: int
    redis_socket: str
    processes: dict[str, int] = field(default_factory=dict)
    """Process ids by name."""

    def waiting(self) -> int | None:
        """How many requests wait; None when the gateway cannot tell."""
        queue = self._health()["queue"]
        return None if None in queue.values() else sum(queue.values())

    def in_flight(self) -> int | None:
        """How many slots are taken; None when the gateway cannot tell."""
        taken: int | None = self._health()["in_flight"]
        return taken

    def target_state(self) -> dict[str, int]:
        """What the target says of the responses that it sends."""
        return _get(f"http://127.0.0.1:{self.target_port}/state")

    def _health(self) -> dict[str, Any]:
        return _get(f"http://127.0.0.1:{self.gateway_port}/gateway_health")


def _get(url: str) -> dict[str, Any]:
    with _no_proxy.open(url, timeout=_LOOK_WITHIN_SECONDS) as response:
        found: dict[str, Any] = json.load(response)
        return found


@contextmanager
def running_stack(slots: int, max_body_bytes: int, way: str = "") -> Iterator[Stack]:
    """Run the parts while the block lasts, with one worker process of so many slots; 0 slots: no worker."""
    with ExitStack() as parts:
        log = parts.enter_context(tempfile.TemporaryFile())
        parts.enter_context(tail_shown_on_failure(log))
        stack = Stack(way, free_port(), free_port(), parts.enter_context(embedded_redis()))
        target = parts.enter_context(
            running(Part("target", ("-m", "benchmarks.endpoints.streaming_target", str(stack.target_port)), {}), log)
        )
        target_url, url = (f"http://127.0.0.1:{port}" for port in (stack.target_port, stack.gateway_port))
        wait_until_answers(target, "target", f"{target_url}/state")
        gateway = parts.enter_context(
            running(
                gateway_part(
                    target_url, "127.0.0.1", stack.gateway_port, stack.redis_socket,
                    FAST_PRIORITY_PASS_THROUGH=_PASSED_PATHS, FAST_PRIORITY_MAX_BODY=str(max_body_bytes),
                ),
                log,
            )
        )  # fmt: skip
        wait_until_answers(gateway, "gateway", f"{url}/gateway_health/live")
        stack.processes = {"gateway": gateway.pid}
        if slots:
            worker = parts.enter_context(running(worker_part(1, slots, stack.redis_socket), log))
            wait_until_slots([worker], url, slots)
            stack.processes["worker"] = worker.pid
        yield stack
