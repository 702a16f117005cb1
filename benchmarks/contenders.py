"""What is compared, all of it running at once and only one of it under load at a time."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from redis import Redis
from rq import Worker

from fast_priority.embedded_redis import embedded_redis, free_port
from fast_priority.stack import (
    Part,
    gateway_part,
    mock_target_part,
    running,
    wait_until,
    wait_until_answers,
    worker_part,
)

_LOG_TAIL_BYTES = 3000
_QUEUED_PATH = "/bench/queue"
_PASSED_PATH = "/bench/plain"  # as long as the other, so that the same bytes are parsed


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to the target: its name in the table, and the URL to GET."""

    name: str
    url: str


@contextmanager
def running_contenders(slots: int, latency: str) -> Iterator[list[Contender]]:
    """Run the target and every way to it while the block lasts; direct comes first.

    The two kinds of worker have a gateway and a Redis each, so that neither takes the other's requests. What the
    parts write is shown on stderr, in its last lines, when the block raises.
    """
    with ExitStack() as parts:
        log = parts.enter_context(tempfile.TemporaryFile())
        parts.enter_context(tail_shown_on_failure(log))
        target = _start(parts, log, mock_target_part(port := free_port(), latency), port, "/health")
        priority_redis_port = parts.enter_context(embedded_redis())
        stock_redis_port = parts.enter_context(embedded_redis())
        parts.enter_context(running(worker_part(1, slots, priority_redis_port), log))
        for _ in range(slots):
            parts.enter_context(running(_stock_worker_part(stock_redis_port), log))
        _wait_for_workers(priority_redis_port, 1)
        _wait_for_workers(stock_redis_port, slots)
        priority = _start_gateway(parts, log, target, priority_redis_port)
        stock = _start_gateway(parts, log, target, stock_redis_port)
        yield [
            Contender("direct", target + _QUEUED_PATH),
            Contender("pass-through", priority + _PASSED_PATH),
            Contender(f"PriorityWorker, 1 process x {slots} slots", priority + _QUEUED_PATH),
            Contender(f"stock `rq worker`, {slots} processes", stock + _QUEUED_PATH),
        ]


def _start_gateway(parts: ExitStack, log: IO[bytes], target_url: str, redis_port: int) -> str:
    port = free_port()
    part = gateway_part(target_url, "127.0.0.1", port, redis_port, FAST_PRIORITY_PASS_THROUGH=_PASSED_PATH)
    return _start(parts, log, part, port, "/gateway_health/ready")


def _start(parts: ExitStack, log: IO[bytes], part: Part, port: int, ready_path: str) -> str:
    process = parts.enter_context(running(part, log))
    url = f"http://127.0.0.1:{port}"
    wait_until_answers(process, part.name, url + ready_path)
    return url


def _stock_worker_part(redis_port: int) -> Part:
    """Give `rq worker high low` as its documentation starts it."""
    return Part("rq worker", ("-m", "rq.cli", "worker", "-u", f"redis://127.0.0.1:{redis_port}", "high", "low"), {})


def _wait_for_workers(redis_port: int, count: int) -> None:
    with Redis(port=redis_port) as redis:
        wait_until(f"{count} workers are registered", lambda: Worker.count(connection=redis) >= count)


@contextmanager
def tail_shown_on_failure(log: IO[bytes]) -> Iterator[None]:
    """Show on stderr what processes wrote to `log` last, when the block raises."""
    try:
        yield
    except Exception:
        with contextlib.suppress(OSError):
            log.seek(max(log.seek(0, 2) - _LOG_TAIL_BYTES, 0))
            sys.stderr.write(log.read().decode(errors="replace"))
        raise
