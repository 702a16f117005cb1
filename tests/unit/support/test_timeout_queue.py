"""TimeoutQueue: many waits that may each last as long, by one timer."""

import asyncio

from fast_priority.support.timeout_queue import TimeoutQueue

PATIENCE_SECONDS = 10.0


class Overdue:
    """Notes which keys ran out, in order, and when there are as many as are waited for."""

    def __init__(self, most: int) -> None:
        self.keys: list[str] = []
        self._most = most
        self.are_all = asyncio.Event()

    def __call__(self, key: str) -> None:
        """Note one."""
        self.keys.append(key)
        if len(self.keys) == self._most:
            self.are_all.set()

    async def wait(self) -> None:
        """Return when there are as many as are waited for."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.are_all.wait()


async def test_each_runs_out_once_and_in_order() -> None:
    """What was begun runs out, once, and in the order in which it was begun."""
    overdue = Overdue(most=3)
    deadlines: TimeoutQueue[str] = TimeoutQueue(0.01, overdue)
    for key in ("a", "b"):
        deadlines.begin(key)
    await asyncio.sleep(0)
    deadlines.begin("c")
    await overdue.wait()
    assert overdue.keys == ["a", "b", "c"]
    assert len(deadlines) == 0


async def test_what_was_ended_does_not_run_out() -> None:
    """What was ended in time does not run out, and does not keep what was begun later from it."""
    overdue = Overdue(most=1)
    deadlines: TimeoutQueue[str] = TimeoutQueue(0.01, overdue)
    deadlines.begin("ended")
    deadlines.begin("left")
    deadlines.end("ended")
    await overdue.wait()
    assert overdue.keys == ["left"]


async def test_begun_by_what_ran_out() -> None:
    """What runs out may begin the next wait."""
    overdue = Overdue(most=2)

    def run_out(key: str) -> None:
        overdue(key)
        if key == "first":
            deadlines.begin("second")

    deadlines: TimeoutQueue[str] = TimeoutQueue(0.0, run_out)
    deadlines.begin("first")
    await overdue.wait()
    assert overdue.keys == ["first", "second"]


async def test_closed() -> None:
    """Once closed, nothing runs out any more."""
    closed, open_ = Overdue(most=1), Overdue(most=1)
    deadlines: TimeoutQueue[str] = TimeoutQueue(0.0, closed)
    deadlines.begin("closed")
    deadlines.close()
    TimeoutQueue(0.0, open_).begin("later")
    await open_.wait()
    assert closed.keys == []


def test_ending_what_never_began() -> None:
    """Ending what has no time is nothing."""
    TimeoutQueue(1.0, Overdue(most=1)).end("nothing")


async def test_one_that_fails_fails_alone() -> None:
    """What goes wrong when one runs out keeps no other from running out."""
    overdue = Overdue(most=1)

    def run_out(key: str) -> None:
        if key == "bad":
            raise ValueError(key)
        overdue(key)

    deadlines: TimeoutQueue[str] = TimeoutQueue(0.0, run_out)
    deadlines.begin("bad")
    deadlines.begin("good")
    await overdue.wait()
    assert overdue.keys == ["good"]
