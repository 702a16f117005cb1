"""Lines are written without waiting for who reads them."""

import threading

import pytest

from fast_priority.local.child_processes import wait_until
from fast_priority.observability import line_writer
from fast_priority.observability.line_writer import LineWriter

PATIENCE_SECONDS = 30


class Stream:
    """What lines are written to: it may be full until `goes_on` is set, and may be closed."""

    def __init__(self, *, is_full: bool = False, error: Exception | None = None) -> None:
        self.goes_on = threading.Event()
        if not is_full:
            self.goes_on.set()
        self.is_asked = threading.Event()
        self.texts: list[str] = []
        self.error = error

    def write(self, text: str) -> None:
        self.is_asked.set()
        self.goes_on.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        self.texts.append(text)

    def flush(self) -> None:
        """Nothing is buffered."""


def test_lines_are_written_in_order() -> None:
    """Each is one write, and all are written when it is closed."""
    stream = Stream()
    writer = LineWriter(stream, "the log")
    for number in range(100):
        writer.write(f"line {number}")
    writer.close()
    assert stream.texts == [f"line {number}\n" for number in range(100)]


def test_a_stream_that_takes_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it. As many lines as are allowed wait; more are dropped, which is logged."""
    monkeypatch.setattr(line_writer, "_MOST_LINES", 3)
    stream = Stream(is_full=True)
    writer = LineWriter(stream, "the log")
    writer.write("first")
    assert stream.is_asked.wait(PATIENCE_SECONDS)
    for number in range(10):
        writer.write(f"line {number}")
    assert [message.split(":")[0] for message in caplog.messages] == ["dropped lines of the log"]
    stream.goes_on.set()
    wait_until("what waited is written", lambda: len(stream.texts) == 4)
    writer.close()
    assert stream.texts == ["first\n", "line 0\n", "line 1\n", "line 2\n"]


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file"), OSError(28, "full")])
def test_a_stream_that_is_closed(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    """That is logged once, and nothing is written any more."""
    stream = Stream(error=error)
    writer = LineWriter(stream, "the log")
    writer.write("first")
    wait_until("it is logged", lambda: len(caplog.messages) == 1)
    stream.error = None
    writer.write("second")
    writer.close()
    assert (stream.texts, len(caplog.messages)) == ([], 1)


def test_without_lines() -> None:
    """There is no thread, and nothing to close."""
    before = threading.active_count()
    LineWriter(Stream(), "the log").close()
    assert threading.active_count() == before
