"""What all tests share: an environment without settings of its own, and a Redis for those that want one."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from redis import Redis

from tests.file_order import in_order
from tests.redis_servers import loopback_redis

# Tests that run in the background may ignore interrupts; the processes that they start must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test needs the authorities of the system. To read their file, as aiohttp does when it is imported, takes a tenth of
# a second in each process.
os.environ.setdefault("SSL_CERT_FILE", os.devnull)

# What is collected lives to the end, and is much: Python's collector of garbage need not look at it again and again.
gc.disable()

# No test asserts a duration. In CI the examples are the same in every run: a change is judged by what it changed.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the person who runs the tests has set changes what they test."""
    for name in list(os.environ):
        if name.upper().startswith(("FAST_PRIORITY_", "MOCK_TARGET_", "RQ_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """The port of a real Redis server that lasts for the whole run."""
    with loopback_redis() as port:
        yield port


@pytest.fixture
def redis(redis_port: int) -> Iterator["Redis"]:
    """A client of that server, which is emptied before and after."""
    with Redis(port=redis_port) as client:
        client.flushall()
        yield client
        client.flushall()


def pytest_collection_finish() -> None:
    """Let Python's collector of garbage look at what the tests make, and not at the tests."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files into their order."""
    folder = Path(__file__).parent
    files = [str(item.path.relative_to(folder)) for item in items]
    place = {file: index for index, file in enumerate(in_order(files))}
    items[:] = [item for _, item in sorted(zip(files, items, strict=True), key=lambda each: place[each[0]])]
