"""Every process is replaced, one after the other, under load, and no client notices it."""

import threading
from subprocess import Popen
from typing import Any

import httpx
import pytest

from fast_priority.local.child_processes import gateway_process, wait_until_answers, worker_process
from tests.harness import CLIENT_OPTIONS, Stack, free_port, wait_until

CLIENTS = 8
PATIENCE_SECONDS = 30


class Client(threading.Thread):
    """Sends one request after the other on kept connections; if one gateway accepts no connection, to the other."""

    def __init__(self, name: str, urls: list[str]) -> None:
        super().__init__(name=name)
        self._gateways = [httpx.Client(base_url=url, **CLIENT_OPTIONS) for url in urls]
        self._has_to_end = threading.Event()
        self.sent: list[str] = []
        self.statuses: list[int] = []
        self.errors: list[Exception] = []

    def run(self) -> None:
        while not self._has_to_end.is_set():
            number = len(self.sent)
            method, priority = ("POST", "GET")[number % 2], ("low", "high")[number // 2 % 2]
            path = f"/{priority}/{self.name}/{number}/{method}"
            self.sent.append(path)
            try:
                self.statuses.append(self._answered(method, path).status_code)
            except httpx.HTTPError as error:
                self.errors.append(error)

    def _answered(self, method: str, path: str) -> httpx.Response:
        content = b"x" * 100 if method == "POST" else None
        try:
            return self._gateways[0].request(method, path, content=content)
        except httpx.ConnectError:  # nothing of the request was sent
            self._gateways.reverse()
            return self._gateways[0].request(method, path, content=content)

    def end(self) -> None:
        self._has_to_end.set()
        self.join(PATIENCE_SECONDS)
        for gateway in self._gateways:
            gateway.close()


def start_gateway(stack: Stack, port: int) -> "Popen[bytes]":
    part = gateway_process(stack.mock_url, "127.0.0.1", port, stack.redis_port, FAST_PRIORITY_PRIO_BASE_PATHS="low")
    process = stack.start(part)
    wait_until_answers(process, "gateway", f"http://127.0.0.1:{port}/gateway_health/live")
    return process


def end_in_order(process: "Popen[bytes]") -> int:
    process.terminate()
    return process.wait(PATIENCE_SECONDS)


@pytest.fixture
def ports(stack: Stack) -> list[int]:
    return [stack.gateway_port, free_port()]


def test_a_rolling_restart_loses_nothing(stack: Stack, ports: list[int]) -> None:
    """While all gateways and workers are replaced, every request is answered 200, and each POST arrives once."""
    stack.start_mock(latency="0.02")
    gateways = [start_gateway(stack, port) for port in ports]
    pools = [stack.start(worker_process(1, 2, stack.redis_port)) for _ in range(2)]
    wait_until("the workers are there", lambda: stack.health()["workers"] == 2)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    clients = [Client(f"client-{number}", urls if number % 2 else urls[::-1]) for number in range(CLIENTS)]
    for client in clients:
        client.start()

    def goes_on() -> None:
        before = [len(client.statuses) for client in clients]

        def each_was_answered() -> bool:
            return all(len(client.statuses) > count + 5 for client, count in zip(clients, before, strict=True))

        wait_until("each client is answered again and again", each_was_answered)

    try:
        goes_on()
        for index, port in enumerate(ports):
            assert end_in_order(gateways[index]) == 0
            goes_on()
            gateways[index] = start_gateway(stack, port)
            goes_on()
        for index, pool in enumerate(pools):
            assert end_in_order(pool) == 0
            goes_on()
            pools[index] = stack.start(worker_process(1, 2, stack.redis_port))
            wait_until("the new worker is there", lambda: stack.health()["workers"] == 2)
            goes_on()
    finally:
        for client in clients:
            client.end()
    assert [error for client in clients for error in client.errors] == []
    assert {status for client in clients for status in client.statuses} == {200}
    arrived: list[Any] = [row["path"] for row in stack.arrivals()]
    assert sorted(arrived) == sorted(path for client in clients for path in client.sent)
