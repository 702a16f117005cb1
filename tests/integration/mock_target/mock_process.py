"""A mock target as a process of its own, and clients that look at the bytes on the connection."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fast_priority.local.child_processes import ChildProcess
from tests.forked_processes import forked

# Stops a test that hangs; no test waits for it.
PATIENCE_SECONDS = 30.0


@dataclass
class RunningMock:
    """A mock target in a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int
    client: httpx.Client
    output: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def send(self, path: str, method: str = "GET") -> socket.socket:
        """Send a request on a new connection, which stays open for the response."""
        connection = self.connect()
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: mock\r\n\r\n".encode())
        return connection

    def exchange(self, request: bytes) -> bytes:
        """Send the bytes of a request with `Connection: close`, and return all received bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_to_the_end(connection)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, **more)

    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/__admin/arrivals").json()
        return found

    def in_flight(self) -> int:
        return int(self.report()["in_flight"])


@contextmanager
def running_mock(*arguments: str, **environment: str) -> Iterator[RunningMock]:
    child = ChildProcess("mock target", ("-m", "mock_target", "--port", "0", *arguments), environment)
    with tempfile.NamedTemporaryFile(prefix="mock-target-") as output, forked(child, output) as process:
        path = Path(output.name)

        def address() -> re.Match[str] | None:
            return re.search(r"running on http://127\.0\.0\.1:(\d+)\b", path.read_text())

        wait_until("it says where it runs", lambda: bool(address()) or process.poll() is not None)
        found = address()
        if found is None:
            pytest.fail(f"the mock did not start:\n{path.read_text()}")
        url = f"http://127.0.0.1:{found[1]}"
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False) as client:
            yield RunningMock(process, int(found[1]), client, path)


def read_to_the_end(connection: socket.socket) -> bytes:
    """Return all bytes up to the end of the connection; a reset raises ConnectionResetError."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def read_until_reset(connection: socket.socket) -> bytes:
    """Return the bytes before a reset; fail if the connection ends in an orderly way."""
    received = b""
    try:
        while content := connection.recv(65536):
            received += content
    except ConnectionResetError:
        return received
    return pytest.fail(f"the connection was closed, not reset, after {received!r}")


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail with `what` if it does not hold in time."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > give_up_at:
            pytest.fail(f"waited {PATIENCE_SECONDS:g} s without success until {what}")
        time.sleep(0.01)
