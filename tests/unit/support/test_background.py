"""Background tasks: they go on after failures, and end with their owner."""

import asyncio
import logging

import pytest

from fast_priority.support.background import end_all, keep_doing
from tests.unit.broker_rig import until

logger = logging.getLogger(__name__)


class Steps:
    """A step that raises the given errors one by one, and counts its calls."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.taken = 0

    async def __call__(self) -> None:
        self.taken += 1
        await asyncio.sleep(0)
        if self._errors:
            raise self._errors.pop()


@pytest.mark.parametrize("error", [ConnectionError("away"), RuntimeError("nobody thought of this")])
async def test_a_loop_goes_on_after_any_failure(error: Exception) -> None:
    """After a step that fails, expectedly or not, the next one follows."""
    steps = Steps(error)
    loop = asyncio.create_task(
        keep_doing("stepping", steps, expected=(ConnectionError,), again_seconds=0.0, logger=logger)
    )
    await until("it has gone on", lambda: steps.taken > 2)
    await end_all([loop])


async def test_an_unexpected_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is in the log, with its traceback."""
    steps = Steps(RuntimeError("nobody thought of this"))
    loop = asyncio.create_task(
        keep_doing("stepping", steps, expected=(ConnectionError,), again_seconds=0.0, logger=logger)
    )
    await until("it has gone on", lambda: steps.taken > 1)
    await end_all([loop])
    (record,) = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)


async def test_a_swallowed_cancellation_is_repeated() -> None:
    """A task in which a library swallows the first cancellation ends all the same."""

    async def deaf_once() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await end_all([task])
    assert task.cancelled()


async def test_a_task_that_fails_as_it_ends() -> None:
    """An error of a task that is ended is not raised."""

    async def fail() -> None:
        raise ValueError

    await end_all([asyncio.create_task(fail())])
