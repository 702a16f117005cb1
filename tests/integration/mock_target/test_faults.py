"""What goes wrong below HTTP, seen from a raw socket."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from mock_target.settings import Fault
from tests.integration.mock_target.mock_process import (
    PATIENCE_SECONDS,
    RunningMock,
    read_to_the_end,
    read_until_reset,
    running_mock,
    wait_until,
)


@pytest.fixture(scope="module")
def mock() -> Iterator[RunningMock]:
    with running_mock("--latency", "0", "--seed", "1") as mock:
        yield mock


@pytest.fixture(autouse=True)
def _from_the_start(mock: RunningMock) -> None:
    mock.request("POST", "/__admin/reset")


def split(received: bytes) -> tuple[bytes, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def test_a_reset_is_a_reset(mock: RunningMock) -> None:
    """The client gets ECONNRESET, and not a byte."""
    with mock.send("/?mock_fault=reset") as connection:
        assert read_until_reset(connection) == b""


def test_an_empty_reply_is_an_orderly_end_without_a_byte(mock: RunningMock) -> None:
    """The connection is closed, not reset."""
    with mock.send("/?mock_fault=empty") as connection:
        assert read_to_the_end(connection) == b""


@pytest.mark.parametrize(("body", "sent"), [("12345678", b"1234"), ("1", b""), ("", b"")])
def test_a_truncated_body_is_shorter_than_its_length(mock: RunningMock, body: str, sent: bytes) -> None:
    """Half of the body comes, then an orderly close; even an empty body lacks a byte."""
    with mock.send(f"/?mock_fault=truncate&mock_body={body}") as connection:
        head, received = split(read_to_the_end(connection))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: %d" % max(1, len(body)) in head
    assert received == sent


def test_a_truncated_stream_misses_its_last_chunk(mock: RunningMock) -> None:
    """Of events only the first comes, and the chunk that ends a body does not."""
    with mock.send("/mock/sse?mock_fault=truncate&interval=0") as connection:
        head, received = split(read_to_the_end(connection))
    assert b"transfer-encoding: chunked" in head
    assert b"id: 1\n" in received
    assert b"id: 2\n" not in received
    assert not received.endswith(b"0\r\n\r\n")


def test_a_reset_midway_comes_after_half_of_the_body(mock: RunningMock) -> None:
    """The client has read half of what was promised when it gets ECONNRESET."""
    with mock.send("/?mock_fault=reset_midway&mock_body=12345678") as connection:
        head, received = split(read_until_reset(connection))
    assert b"content-length: 8" in head
    assert received == b"1234"


def test_a_large_body_is_cut_in_half_as_well(mock: RunningMock) -> None:
    """More than fits into the buffers of the connection still comes up to its half."""
    with mock.send("/?mock_fault=truncate&mock_size=8000000") as connection:
        _, received = split(read_to_the_end(connection))
    assert len(received) == 4_000_000


def test_garbage_is_no_http(mock: RunningMock) -> None:
    """The client gets a kilobyte that no parser accepts as a response, then the connection is closed."""
    with mock.send("/?mock_fault=garbage") as connection:
        received = read_to_the_end(connection)
    assert len(received) == 1024
    assert not received.startswith(b"HTTP/")


def test_a_malformed_answer_has_a_right_head_and_no_chunk(mock: RunningMock) -> None:
    """The head declares chunks, and the bytes after it are not a chunk."""
    with mock.send("/?mock_fault=malformed") as connection:
        head, received = split(read_to_the_end(connection))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert received[0] == 0xFF


def test_a_request_that_hangs_is_never_answered(mock: RunningMock) -> None:
    """While others get responses it stays in flight, until its client disconnects."""
    with mock.send("/hangs?mock_fault=hang") as connection:
        wait_until("the request hangs", lambda: mock.in_flight() == 1)
        assert mock.get("/other").status_code == 200
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    wait_until("the request is finished", lambda: mock.in_flight() == 0)


def test_a_slow_close_leaves_the_connection_open(mock: RunningMock) -> None:
    """The complete response has Connection: close, and the connection stays open after it."""
    with mock.send("/?mock_fault=slow_close&mock_close_delay=3600&mock_body=whole") as connection:
        received = b""
        while not received.endswith(b"whole"):
            received += connection.recv(65536)
        assert b"connection: close" in received
        wait_until("only the end is missing", lambda: mock.in_flight() == 1)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_a_slow_close_ends(mock: RunningMock) -> None:
    """After close_delay the connection is closed in an orderly way."""
    with mock.send("/?mock_fault=slow_close&mock_close_delay=0.01&mock_body=whole") as connection:
        assert read_to_the_end(connection).endswith(b"whole")


@pytest.mark.parametrize("fault", Fault)
def test_after_a_fault_the_mock_is_as_well_as_before(mock: RunningMock, fault: Fault) -> None:
    """The fault is logged, the arrival finished, its permit released, and the server logged no error."""
    mock.request("PATCH", "/__admin/settings", json={"limit": 1, "close_delay": 0})
    with mock.send(f"/?mock_fault={fault}"):
        wait_until("the request has arrived", lambda: mock.report()["total"] == 1)
    wait_until("the request is finished", lambda: mock.in_flight() == 0)
    report = mock.report()
    assert (report["arrivals"][0]["fault"], report["working"]) == (fault.value, 0)
    assert mock.get("/next").status_code == 200


def test_a_share_of_the_requests_is_struck(mock: RunningMock) -> None:
    """With fault_rate some requests are struck and some are not, each on a connection of its own."""
    mock.request("PATCH", "/__admin/settings", json={"fault": "empty", "fault_rate": 0.5})
    received = []
    for _ in range(20):
        with mock.send("/?mock_body=x") as connection:
            received.append(connection.recv(65536))
    assert b"" in received
    assert any(answer.startswith(b"HTTP/1.1 200 ") for answer in received)


def test_a_fault_comes_after_the_latency_and_the_body(mock: RunningMock) -> None:
    """A request that is reset is in flight for its latency first."""
    with mock.send("/?mock_fault=reset&mock_latency=3600"):
        wait_until("the request waits", lambda: mock.in_flight() == 1)


def test_no_fault_is_an_error_to_the_server() -> None:
    """The server's log has no traceback and no complaint, whatever went wrong on purpose."""
    with running_mock("--latency", "0") as mock:
        for fault in Fault:
            with mock.send(f"/?mock_fault={fault}&mock_close_delay=0") as connection:
                if fault is not Fault.HANG:
                    with suppress(ConnectionResetError):
                        read_to_the_end(connection)
        wait_until("all is finished", lambda: mock.in_flight() == 0)
        mock.process.terminate()
        mock.process.wait(PATIENCE_SECONDS)
        log = mock.output.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log
