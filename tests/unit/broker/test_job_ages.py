"""How long jobs have waited."""

import time
from datetime import UTC, datetime

import pytest

from fast_priority.broker.job_ages import oldest_seconds
from fast_priority.broker.other_versions import QueuedJob

NOW = 1_800_000_000.0


def queued(written: bytes | None) -> QueuedJob:
    return QueuedJob(b"gateway", b"1", b"GET '/'", written)


def at(seconds: float) -> QueuedJob:
    return queued(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode())


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def test_the_oldest() -> None:
    """It is the oldest one, wherever it stands: second attempts stand in front."""
    assert oldest_seconds([at(NOW - 1), at(NOW - 7.5), at(NOW - 2)]) == 7.5


@pytest.mark.parametrize(
    "written", [None, b"", b"now", b"\xff", b"2026-13-01T00:00:00.0Z", b"9" * 1000, b"9999-12-31T23:59:59.0Z"]
)
def test_what_is_no_time(written: bytes | None) -> None:
    """What says nothing, or names a time that has not come, counts for nothing."""
    assert oldest_seconds([queued(written)]) == 0
    assert oldest_seconds([queued(written), at(NOW - 3)]) == 3


def test_an_empty_queue() -> None:
    """Nothing waits in it."""
    assert oldest_seconds([]) == 0
