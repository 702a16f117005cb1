"""How late an event loop is."""

import asyncio
import time

import pytest

from fast_priority.support import loop_lag
from fast_priority.support.loop_lag import LoopLag


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_lag, "_EVERY_SECONDS", 0.01)


async def until(lag: LoopLag, seconds: float) -> None:
    async with asyncio.timeout(30):
        while lag.worst_seconds < seconds:
            await asyncio.sleep(0.01)


async def test_a_callback_that_takes_long() -> None:
    """It delays the timer, and the delay is shown after it."""
    with LoopLag() as lag:
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - what is measured
        await until(lag, 0.28)


async def test_a_delay_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two windows it is not shown any more."""
    monkeypatch.setattr(loop_lag, "_WINDOW_SECONDS", 0.05)
    with LoopLag() as lag:
        lag._worst = 1000.0
        async with asyncio.timeout(30):
            while lag.worst_seconds >= 1000:
                await asyncio.sleep(0.01)
