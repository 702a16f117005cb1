"""Background tasks that neither die unseen nor outlive their owner."""

import asyncio
import logging

import pytest

from fast_priority.support.background import end_all, keep_doing
from tests.unit.broker_rig import until

logger = logging.getLogger(__name__)


class Steps:
    """Fails as it is told, once for each error, and counts."""

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
    """A step that fails, expectedly or not, is followed by the next."""
    steps = Steps(error)
    loop = asyncio.create_task(
        keep_doing("stepping", steps, expected=(ConnectionError,), again_seconds=0.0, logger=logger)
    )
    await until("it has gone on", lambda: steps.taken > 2)
    await end_all([loop])


async def test_an_unexpected_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected can be found in the log."""
    steps = Steps(RuntimeError("nobody thought of this"))
    loop = asyncio.create_task(
        keep_doing("stepping", steps, expected=(ConnectionError,), again_seconds=0.0, logger=logger)
    )
    await until("it has gone on", lambda: steps.taken > 1)
    await end_all([loop])
    (record,) = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)


async def test_a_swallowed_cancellation_is_repeated() -> None:
    """A task in which a library swallows the first cancellation ends nevertheless."""

    async def deaf_once() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await end_all([task])
    assert task.cancelled()


async def test_a_task_that_fails_as_it_ends_is_no_failure_here() -> None:
    """How the tasks end is not the concern of who ends them."""

    async def fail() -> None:
        raise ValueError

    await end_all([asyncio.create_task(fail())])
