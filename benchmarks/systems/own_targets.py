"""Starts the targets of `benchmarks.endpoints`, each as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from benchmarks.support import benchmark_process
from fast_priority.local.child_processes import running, wait_until_answers
from fast_priority.local.free_ports import free_port


@contextmanager
def running_traced_target(output: IO[bytes]) -> Iterator[str]:
    """Run the target that reports when each request arrived and was answered; return its URL."""
    with _running_target("traced-target", "/", output) as url:
        yield url


@contextmanager
def running_streaming_target(output: IO[bytes]) -> Iterator[str]:
    """Run the target that sends and receives bodies of any size; return its URL."""
    with _running_target("streaming-target", "/state", output) as url:
        yield url


@contextmanager
def _running_target(command: str, health_path: str, output: IO[bytes]) -> Iterator[str]:
    port = free_port()
    with running(benchmark_process("target", command, str(port)), output) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_answers(process, "target", f"{url}{health_path}")
        yield url
