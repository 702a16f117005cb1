"""The mock target as a user starts it: a process, a port, and bytes on a socket."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

REPOSITORY = Path(__file__).parents[2]
# Stops a test that hangs; no test waits for it.
PATIENCE_SECONDS = 30.0


@dataclass
class RunningMock:
    """A mock target in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def exchange(self, request: bytes) -> bytes:
        """Send the bytes of a request with `Connection: close`, and give all bytes that come back."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_SECONDS, trust_env=False)

    def in_flight(self) -> int:
        return int(self.get("/__admin/arrivals").json()["in_flight"])


@contextmanager
def running_mock(**environment: str) -> Iterator[RunningMock]:
    process = subprocess.Popen(
        [sys.executable, "-m", "mock_target", "--port", "0"],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if address := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                yield RunningMock(process, int(address[1]))
                return
        pytest.fail("the mock did not start:\n" + "".join(lines))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    """One mock for all tests that only talk to it; its latency comes from the environment."""
    with running_mock(MOCK_TARGET_LATENCY="uniform:0,0.001") as mock:
        yield mock


def wait_until(what: str, is_so: Callable[[], bool]) -> None:
    """Look again and again until it is so; fail, naming what was waited for, when patience ends."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > give_up_at:
            pytest.fail(f"waited {PATIENCE_SECONDS:g} s in vain until {what}")
        time.sleep(0.01)


def test_the_latency_comes_from_the_environment(mock: RunningMock) -> None:
    """MOCK_TARGET_LATENCY is the default latency when no flag is given."""
    assert mock.get("/__admin/latency").json() == {"latency": "uniform:0.0,0.001"}


def test_a_raw_path_survives_the_wire(mock: RunningMock) -> None:
    """Percent-encoding, double slashes and dot segments are echoed as they were sent."""
    request = b"GET /a%2Fb/%7e//c/../d;e?x=%20&&y HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n"
    assert b'"path": "/a%2Fb/%7e//c/../d;e", "query": "x=%20&&y"' in mock.exchange(request)


def test_repeated_fields_survive_the_wire(mock: RunningMock) -> None:
    """Repeated fields are echoed one by one, in order."""
    request = b"GET / HTTP/1.1\r\nHost: mock\r\nX-B: 1\r\nX-A: 2\r\nX-B: 3\r\nConnection: close\r\n\r\n"
    assert b'["x-b", "1"], ["x-a", "2"], ["x-b", "3"]' in mock.exchange(request)


def test_two_cookies_are_two_lines_on_the_wire(mock: RunningMock) -> None:
    """Set-Cookie is sent twice."""
    response = mock.exchange(b"GET /mock/cookies HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n")
    assert b"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n" in response


@pytest.mark.parametrize(
    "request_line", [b"HEAD / HTTP/1.1", b"GET /?mock_status=204 HTTP/1.1", b"GET /?mock_status=304 HTTP/1.1"]
)
def test_no_byte_follows_a_head_without_content(mock: RunningMock, request_line: bytes) -> None:
    """An answer to HEAD, and one with 204 or 304, ends with its head and is not chunked."""
    response = mock.exchange(request_line + b"\r\nHost: mock\r\nConnection: close\r\n\r\n")
    assert response.endswith(b"\r\n\r\n")
    assert response.count(b"\r\n\r\n") == 1
    assert b"transfer-encoding" not in response


def test_the_largest_body_is_sent_whole(mock: RunningMock) -> None:
    """64 MiB arrive under their exact Content-Length."""
    response = mock.get("/?mock_size=67108864")
    assert response.headers["content-length"] == "67108864"
    assert len(response.content) == 67_108_864


def test_a_client_that_hangs_up_is_no_longer_in_flight(mock: RunningMock) -> None:
    """Closing the connection during the latency ends the request and dates its end."""
    with mock.connect() as connection:
        connection.sendall(b"GET /left?mock_latency=3600 HTTP/1.1\r\nHost: mock\r\n\r\n")
        wait_until("the request is in flight", lambda: mock.in_flight() == 1)
    wait_until("nothing is in flight", lambda: mock.in_flight() == 0)
    arrivals = mock.get("/__admin/arrivals").json()["arrivals"]
    assert [a["finished_at"] is None for a in arrivals if a["path"] == "/left"] == [False]


def test_sigterm_stops_a_mock_that_still_has_requests() -> None:
    """The process ends although a request still has an hour to wait."""
    with running_mock() as mock, mock.connect() as connection:
        connection.sendall(b"GET /?mock_latency=3600 HTTP/1.1\r\nHost: mock\r\n\r\n")
        wait_until("the request is in flight", lambda: mock.in_flight() == 1)
        mock.process.send_signal(signal.SIGTERM)
        mock.process.communicate(timeout=PATIENCE_SECONDS)
        assert mock.process.returncode in {0, -signal.SIGTERM}
