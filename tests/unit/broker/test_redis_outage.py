"""The trouble of one process with Redis: one outage in the log, whichever task notices it."""

import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, OutOfMemoryError

from fast_priority.broker.connection import RedisOutage

AWAY, FULL = RedisConnectionError("connection refused"), OutOfMemoryError("command not allowed")


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> RedisOutage:
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


def test_trouble_that_alternates_is_one(outage: RedisOutage, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Away, refuses writes and back in turns, for ten minutes and several tasks: one beginning, one line a minute."""
    tasks = [outage.of("cannot read"), outage.of("cannot write"), outage.of("cannot beat")]
    for step in range(3000):
        clock.seconds += 0.2
        tasks[step % 3].failure(AWAY if step % 2 else FULL)
        tasks[(step + 1) % 3].recovered()
    assert 1 <= len(caplog.messages) <= 11
    assert not any("over" in line for line in caplog.messages)


def test_its_end_is_said_once(outage: RedisOutage, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The end is one line at info with the number of failures, whichever task succeeds first."""
    reader, writer = outage.of("cannot read"), outage.of("cannot write")
    for error in (FULL, AWAY, FULL):
        writer.failure(error)
    clock.seconds += 6
    reader.recovered()
    writer.recovered()
    last = caplog.records[-1]
    assert (last.levelno, last.getMessage()) == (logging.INFO, "Worker w: trouble with Redis: over, after 3 failures")
    assert len(caplog.messages) == 2
    assert outage.problem is None


def test_no_end_while_others_fail(outage: RedisOutage, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A task that succeeds does not end the trouble of another one that failed just before."""
    outage.of("cannot write").failure(FULL)
    clock.seconds += 1
    outage.of("cannot read").recovered()
    assert len(caplog.messages) == 1
    assert outage.problem == "Redis refuses writes: it is out of memory (maxmemory)"


def test_no_trouble_no_line(outage: RedisOutage, caplog: pytest.LogCaptureFixture) -> None:
    """Without a failure there is no line and no problem."""
    outage.of("cannot read").recovered()
    assert (caplog.messages, outage.problem, outage.refusal) == ([], None, None)


def test_a_task_that_is_refused(outage: RedisOutage, clock: Clock) -> None:
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
