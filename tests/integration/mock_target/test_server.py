"""The mock target as a user starts it: a process, a port, and bytes on a socket."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mock_target.mock_process import PATIENCE_SECONDS, RunningMock, running_mock, wait_until


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    """One mock for all tests that only talk to it; its latency comes from the environment."""
    with running_mock(MOCK_TARGET_LATENCY="uniform:0,0.001") as mock:
        yield mock


def echo_of(mock: RunningMock, request: bytes) -> dict[str, object]:
    echo: dict[str, object] = json.loads(mock.exchange(request).partition(b"\r\n\r\n")[2])
    return echo


def test_the_latency_comes_from_the_environment(mock: RunningMock) -> None:
    """MOCK_TARGET_LATENCY is the default latency without a flag."""
    assert mock.get("/__admin/latency").json() == {"latency": "uniform:0.0,0.001"}


def test_settings_and_routes_come_from_a_file(tmp_path: Path) -> None:
    """--settings names a file that PUT /__admin/settings would take."""
    file = tmp_path / "settings.json"
    file.write_text('{"latency": 0, "status": 404, "routes": [{"path": "/a", "status": 201}]}')
    with running_mock("--settings", str(file), "--limit", "3") as mock:
        assert (mock.get("/").status_code, mock.get("/a").status_code) == (404, 201)
        assert mock.get("/__admin/settings").json()["limit"] == 3


def test_a_raw_path_survives_the_wire(mock: RunningMock) -> None:
    """Percent-encoding, double slashes and dot segments are echoed as they were sent."""
    echo = echo_of(mock, b"GET /a%2Fb/%7e//c/../d;e?x=%20&&y HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n")
    assert (echo["path"], echo["query"]) == ("/a%2Fb/%7e//c/../d;e", "x=%20&&y")
    assert echo["request_line"] == "GET /a%2Fb/%7e//c/../d;e?x=%20&&y HTTP/1.1"


def test_repeated_fields_survive_the_wire(mock: RunningMock) -> None:
    """Fields are echoed one by one, in order; the raw ones in their case, too."""
    echo = echo_of(mock, b"GET / HTTP/1.1\r\nHost: mock\r\nX-B: 1\r\nx-a: 2\r\nX-b: \xe9\r\nConnection: close\r\n\r\n")
    assert echo["fields"] == [["host", "mock"], ["x-b", "1"], ["x-a", "2"], ["x-b", "é"], ["connection", "close"]]
    assert echo["raw_fields"] == [["Host", "mock"], ["X-B", "1"], ["x-a", "2"], ["X-b", "é"], ["Connection", "close"]]


def test_an_absolute_target_and_an_old_version_are_echoed_as_received(mock: RunningMock) -> None:
    """The request line keeps what HTTP takes apart."""
    echo = echo_of(mock, b"GET http://mock/x?y HTTP/1.0\r\nHost: mock\r\n\r\n")
    assert (echo["request_line"], echo["path"]) == ("GET http://mock/x?y HTTP/1.0", "/x")


def test_requests_on_one_connection_have_their_own_heads(mock: RunningMock) -> None:
    """Pipelined requests get responses in order, each with its own raw head, and trailers are part of none."""
    first = (
        b"POST /1 HTTP/1.1\r\nHost: mock\r\nTransfer-Encoding: chunked\r\nX-N: 1\r\n\r\n1\r\nx\r\n0\r\nX-T: 1\r\n\r\n"
    )
    second = b"GET /2 HTTP/1.1\r\nHost: mock\r\nX-N: 2\r\nConnection: close\r\n\r\n"
    received = mock.exchange(first + second)
    echoes = [json.loads(part[: part.index(b"}") + 1]) for part in received.split(b"\r\n\r\n")[1:]]
    assert [echo["request_line"] for echo in echoes] == ["POST /1 HTTP/1.1", "GET /2 HTTP/1.1"]
    assert [[value for name, value in echo["raw_fields"] if name == "X-N"] for echo in echoes] == [["1"], ["2"]]
    assert b"X-T" not in received
    assert b"x-t" not in received


def test_a_request_to_upgrade_is_echoed_like_any_other(mock: RunningMock) -> None:
    """Only /mock/websocket is a WebSocket; on other paths the fields of the upgrade are ordinary fields."""
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    echo = echo_of(mock, b"GET /x HTTP/1.1\r\nHost: mock\r\n" + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n")
    assert (echo["path"], ["Upgrade", "websocket"] in echo["raw_fields"]) == ("/x", True)  # type: ignore[operator]


def test_two_cookies_are_two_lines_on_the_wire(mock: RunningMock) -> None:
    """Set-Cookie is sent twice."""
    response = mock.exchange(b"GET /mock/cookies HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n")
    assert b"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n" in response


@pytest.mark.parametrize(
    "request_line",
    [
        b"HEAD / HTTP/1.1",
        b"HEAD /mock/sse HTTP/1.1",
        b"HEAD /?mock_gzip=1 HTTP/1.1",
        b"GET /?mock_status=204 HTTP/1.1",
        b"GET /?mock_status=304 HTTP/1.1",
    ],
)
def test_no_byte_follows_a_head_without_content(mock: RunningMock, request_line: bytes) -> None:
    """A response to HEAD, and one with 204 or 304, ends with its head and is not chunked."""
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
    """If the client closes the connection during the latency, the request ends, and its end is logged."""
    with mock.send("/left?mock_latency=3600"):
        wait_until("the request is in flight", lambda: mock.in_flight() == 1)
    wait_until("nothing is in flight", lambda: mock.in_flight() == 0)
    arrivals = mock.report()["arrivals"]
    assert [a["finished_at"] is None for a in arrivals if a["path"] == "/left"] == [False]


def test_sigterm_stops_a_mock_that_still_has_requests() -> None:
    """The process ends on SIGTERM although one request has an hour to wait, and another one follows the log."""
    with (
        running_mock() as mock,
        mock.send("/?mock_latency=3600"),
        mock.send("/__admin/arrivals.ndjson?follow=true") as following,
    ):
        wait_until("the request is in flight", lambda: mock.in_flight() == 1)
        wait_until("the follower is told", lambda: b'"sequence":1' in following.recv(65536))
        mock.process.send_signal(signal.SIGTERM)
        mock.process.wait(PATIENCE_SECONDS)
        assert mock.process.returncode in {0, -signal.SIGTERM}
