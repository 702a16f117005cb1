"""The trouble of one process with Redis: one outage in the log, whichever task notices it."""

import logging

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker.connection import RedisOutage
from tests.unit.fake_clock import FakeClock

AWAY, FULL = RedisConnectionError("connection refused"), OutOfMemoryError("command not allowed")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outage(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> RedisOutage:
    caplog.set_level(logging.INFO)
    return RedisOutage(logging.getLogger("test"), "Worker w: ", clock)


def test_the_line_at_the_beginning(outage: RedisOutage, caplog: pytest.LogCaptureFixture) -> None:
    """The first line has what is wrong in words, what the task cannot do, and the error."""
    outage.of("cannot queue requests").failure(FULL)
    (line,) = caplog.messages
    assert line == (
        "Worker w: trouble with Redis: Redis refuses writes: it is out of memory (maxmemory); "
        "cannot queue requests: command not allowed"
    )


def test_trouble_that_alternates_is_one(
    outage: RedisOutage, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Away, refuses writes and back in turns, noticed by several tasks: a line for each reason, and one a minute.

    There is no end in between.
    """
    tasks = [outage.of("cannot read"), outage.of("cannot write"), outage.of("cannot beat")]
    for step in range(3000):
        clock.seconds += 0.2
        tasks[step % 3].failure(AWAY if step % 2 else FULL)
        tasks[(step + 1) % 3].recovered()
    assert 2 <= len(caplog.messages) <= 12
    assert not any("over" in line for line in caplog.messages)


def test_a_new_reason_is_a_line(outage: RedisOutage, caplog: pytest.LogCaptureFixture) -> None:
    """A lost connection that turns out to be a refused login is a second line at once; neither is said again."""
    reader = outage.of("cannot read")
    for error in (AWAY, AuthenticationError("WRONGPASS"), AWAY, AuthenticationError("WRONGPASS")):
        reader.failure(error)
    away, refused = caplog.messages
    assert "Redis does not answer" in away
    assert "Redis refuses the login" in refused


def test_reasons_that_a_server_makes_up(outage: RedisOutage, caplog: pytest.LogCaptureFixture) -> None:
    """A server that refuses each command with another code does not fill the log."""
    reader = outage.of("cannot read")
    for number in range(500):
        reader.failure(ResponseError(f"{chr(65 + number % 26)}{chr(65 + number // 26)} refused"))
    assert len(caplog.messages) == 8


def test_its_end_is_said_once(outage: RedisOutage, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """The end is one line at info with the number of failures, whichever task succeeds first."""
    reader, writer = outage.of("cannot read"), outage.of("cannot write")
    for error in (FULL, FULL, FULL):
        writer.failure(error)
    reader.recovered()
    clock.seconds += 6
    reader.recovered()
    writer.recovered()
    last = caplog.records[-1]
    assert (last.levelno, last.getMessage()) == (logging.INFO, "Worker w: trouble with Redis: over, after 3 failures")
    assert len(caplog.messages) == 2
    assert outage.problem is None


def test_no_end_while_others_fail(outage: RedisOutage, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """A task that succeeds does not end the trouble of another one that failed just before."""
    outage.of("cannot write").failure(FULL)
    clock.seconds += 1
    outage.of("cannot read").recovered()
    assert len(caplog.messages) == 1
    assert outage.problem == "Redis refuses writes: it is out of memory (maxmemory)"


def test_a_process_that_stood_still(outage: RedisOutage, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """The first success after a process stood still does not end the trouble: it may last."""
    writer, reader = outage.of("cannot write"), outage.of("cannot read")
    writer.failure(FULL)
    clock.seconds += 100
    reader.recovered()
    assert outage.problem is not None
    writer.failure(FULL)
    reader.recovered()
    assert not any("over" in line for line in caplog.messages)


def test_no_trouble_no_line(outage: RedisOutage, caplog: pytest.LogCaptureFixture) -> None:
    """Without a failure there is no line and no problem."""
    outage.of("cannot read").recovered()
    assert (caplog.messages, outage.problem, outage.refusal) == ([], None, None)


def test_a_task_that_is_refused(outage: RedisOutage, clock: FakeClock) -> None:
    """What one task was refused counts until that task succeeds, or is silent for 5 s; others do not change it."""
    writer = outage.of("cannot write")
    seen = []
    writer.failure(NoPermissionError("no permissions"))
    outage.of("cannot read").recovered()
    outage.note_write()
    seen.append(outage.refusal)
    writer.recovered()
    seen.append(outage.refusal)
    writer.failure(NoPermissionError("no permissions"))
    clock.seconds += 6
    seen.append(outage.refusal)
    assert seen == ["Redis refuses commands: its ACL does not allow them to this user (NOPERM)", None, None]


def test_a_write_ends_what_stops_all_writes(outage: RedisOutage) -> None:
    """Once Redis takes a write, it refuses no other task for want of memory."""
    outage.of("cannot write").failure(FULL)
    assert outage.refusal == "Redis refuses writes: it is out of memory (maxmemory)"
    outage.note_write()
    assert outage.refusal is None


def test_away_is_no_refusal(outage: RedisOutage) -> None:
    """A Redis that does not answer refuses nothing."""
    outage.of("cannot write").failure(AWAY)
    assert (outage.problem, outage.refusal) == ("Redis does not answer", None)
