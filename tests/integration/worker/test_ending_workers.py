"""Workers that get a stop signal at the worst moments leave nothing in Redis."""

import subprocess
import sys
import textwrap

import pytest
from redis import Redis

from fast_priority.broker.connection import sync_connection
from fast_priority.settings import Settings
from fast_priority.worker import PriorityWorker, PriorityWorkerPool

PATIENCE_SECONDS = 60

WORKER = """
    import signal
    from fast_priority.broker.connection import sync_connection
    from fast_priority.settings import Settings
    from fast_priority.worker import PriorityWorker

    class Stopped(PriorityWorker):
        def {moment}(self, *args):
            signal.raise_signal(signal.{name})
            super().{moment}(*args)

    settings = Settings.load(redis_port={port})
    Stopped(["high", "low"], connection=sync_connection(settings), settings=settings).work(burst={burst})
"""

POOL = """
    import os, signal
    from fast_priority.settings import Settings
    from fast_priority.worker import PriorityWorkerPool

    class Stopped(PriorityWorkerPool):
        def start_worker(self, *args, **options):
            super().start_worker(*args, **options)
            os.kill(os.getpid(), signal.{name})

    Stopped(Settings.load(redis_port={port}, workers="3")).run()
"""


def run(code: str, **values: object) -> "subprocess.CompletedProcess[str]":
    """Run a script until it and all its processes have ended."""
    script = textwrap.dedent(code.format(**values))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("moment", "burst"), [("subscribe", False), ("register_death", True)])
def test_a_stop_signal_at_birth_or_death(redis: Redis, redis_port: int, moment: str, name: str, *, burst: bool) -> None:
    """A worker that gets a stop signal while it registers, or in its teardown, leaves no name in rq's registers."""
    ended = run(WORKER, moment=moment, name=name, port=redis_port, burst=burst)
    assert (redis.keys("rq:workers*"), "0 in flight" in ended.stdout + ended.stderr) == ([], not burst), ended.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_signal_while_a_pool_starts(redis: Redis, redis_port: int, name: str) -> None:
    """A pool that gets a stop signal when it has started one worker of three ends, and every worker with it."""
    ended = run(POOL, name=name, port=redis_port)
    assert (ended.returncode, redis.keys("rq:workers*")) == (0, []), ended.stderr


def test_a_pool_that_is_ending_starts_no_worker(redis_port: int) -> None:
    """A pool that is ending starts no worker again: nothing would end it."""
    pool = PriorityWorkerPool(Settings.load(redis_port=redis_port, workers="2"))
    pool.request_stop()  # type: ignore[no-untyped-call]
    pool.start_worker()
    assert pool.worker_dict == {}


def test_a_hanging_redis_delays_the_end_by_seconds_only(redis_port: int) -> None:
    """Redis has five seconds, not minutes, to answer a worker that blocks stop signals."""
    settings = Settings.load(redis_port=redis_port)
    connection = sync_connection(settings)
    PriorityWorker(["high", "low"], connection=connection, settings=settings)
    assert connection.connection_pool.connection_kwargs["socket_timeout"] == 5
