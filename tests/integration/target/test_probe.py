"""The probe of a target: a GET below its base URL, for health."""

import asyncio
import socket
import threading

import pytest

from fast_priority.http.message import TargetPolicy
from fast_priority.target import Target, probe_problem
from tests.harness import free_port, scripted_target


def target_at(port: int, base_path: str = "") -> Target:
    return Target(TargetPolicy(f"http://127.0.0.1:{port}{base_path}", 10.0, 20.0, 1 << 20))


@pytest.mark.parametrize(
    ("status", "answers"), [(200, True), (204, True), (302, True), (404, True), (499, True), (500, False), (503, False)]
)
async def test_a_status_under_500_is_an_answer(status: int, answers: bool) -> None:
    """A target that answers the probe with a status under 500 is reachable, and with any other it is not."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 %d Some\r\nContent-Length: 0\r\n\r\n" % status)

    with scripted_target(answer) as (port, _):
        async with target_at(port) as target:
            assert (await probe_problem(target, "/health") is None) is answers


@pytest.mark.parametrize(
    ("base_path", "path", "line"),
    [("", "/health", b"/health"), ("/v1", "/health/", b"/v1/health/"), ("/v1", "/", b"/v1/"), ("", "/ü", b"/%C3%BC")],
)
async def test_the_probe_is_sent_below_the_base_url(base_path: str, path: str, line: bytes) -> None:
    """The probe is a GET of its path below the path of the base URL, with the target's own Host."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with scripted_target(answer) as (port, heads):
        async with target_at(port, base_path) as target:
            assert await probe_problem(target, path) is None
    (head,) = heads
    assert head.startswith(b"GET %s HTTP/1.1\r\n" % line)
    assert b"Host: 127.0.0.1:%d\r\n" % port in head


async def test_a_target_that_never_answers_is_not_reachable() -> None:
    """A target that accepts connections and never answers is not reachable, which is known in bounded time."""
    ended = threading.Event()

    def never(connection: socket.socket, head: bytes) -> None:
        ended.wait(60)

    with scripted_target(never) as (port, _):
        async with target_at(port) as target:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await probe_problem(target, "/health")
        ended.set()


async def test_a_target_that_is_not_there_is_not_reachable() -> None:
    """A target that refuses connections, or answers with what is not HTTP, is not reachable."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"SSH-2.0-server\r\n\r\n")

    async with target_at(free_port()) as target:
        assert await probe_problem(target, "/health") is not None
    with scripted_target(answer) as (port, _):
        async with target_at(port) as target:
            assert await probe_problem(target, "/health") is not None


async def test_a_large_answer_is_not_read() -> None:
    """The head of the response is enough: a body that never ends holds up no health check."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 10_000)

    with scripted_target(answer) as (port, _):
        async with target_at(port) as target:
            assert await probe_problem(target, "/health") is None
