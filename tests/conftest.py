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


# Begun first, so that at the end no process is left with one of them while the others have nothing to do.
_LONGEST_FILES = (
    "acceptance/test_oracle.py",
    "acceptance/test_own_stack_check.py",
    "chaos/test_handshakes.py",
    "acceptance/test_settings_in_force.py",
    "acceptance/test_handshakes.py",
    "acceptance/test_documented_commands.py",
    "acceptance/test_client_timeout.py",
    "chaos/test_gateways.py",
    "chaos/test_redis.py",
    "acceptance/test_killed_gateways.py",
    "acceptance/test_failures.py",
    "chaos/test_workers.py",
    "acceptance/test_redis_settings.py",
    "chaos/test_clock.py",
    "acceptance/test_streaming.py",
    "acceptance/test_bad_days.py",
    "chaos/test_network.py",
    "acceptance/test_ways_to_run.py",
    "acceptance/test_releases.py",
    "integration/loadtests/test_locust_scenarios.py",
    "integration/gateway/test_handshakes.py",
    "acceptance/test_sentinel.py",
    "acceptance/test_ordering.py",
    "acceptance/test_rq_tools.py",
    "acceptance/test_demo.py",
    "chaos/test_failover.py",
    "integration/gateway/test_embedded_middleware.py",
    "integration/server/test_slow_clients.py",
    "acceptance/test_edge.py",
    "unit/loadtests/test_measurement.py",
    "integration/gateway/test_mounted.py",
)


def pytest_collection_finish() -> None:
    """Let Python's collector of garbage look at what the tests make, and not at the tests."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the longest files first."""
    place = {name: index for index, name in enumerate(_LONGEST_FILES)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: place.get(str(item.path.relative_to(folder)), len(place)))
