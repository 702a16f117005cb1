"""Workers that are told to end at the worst moments leave nothing behind them."""

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

    class Told(PriorityWorker):
        def {moment}(self, *args):
            signal.raise_signal(signal.{name})
            super().{moment}(*args)

    settings = Settings.load(redis_port={port})
    Told(["high", "low"], connection=sync_connection(settings), settings=settings).work(burst={burst})
"""

POOL = """
    import os, signal
    from fast_priority.settings import Settings
    from fast_priority.worker import PriorityWorkerPool

    class Told(PriorityWorkerPool):
        def start_worker(self, *args, **options):
            super().start_worker(*args, **options)
            os.kill(os.getpid(), signal.{name})

    Told(Settings.load(redis_port={port}, workers="3")).run()
"""


def run(code: str, **values: object) -> "subprocess.CompletedProcess[str]":
    """Run it until it and all that it has started have ended."""
    script = textwrap.dedent(code.format(**values))
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(("moment", "burst"), [("subscribe", False), ("register_death", True)])
def test_a_worker_told_at_its_birth_or_death(
    redis: Redis, redis_port: int, moment: str, name: str, *, burst: bool
) -> None:
    """Told to end before it serves, or while it takes its leave, a worker leaves no name in rq's registers."""
    ended = run(WORKER, moment=moment, name=name, port=redis_port, burst=burst)
    assert (redis.keys("rq:workers*"), "0 in flight" in ended.stdout + ended.stderr) == ([], not burst), ended.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_pool_told_while_it_starts(redis: Redis, redis_port: int, name: str) -> None:
    """Told to end when it has started one worker of three, a pool ends, and every worker with it."""
    ended = run(POOL, name=name, port=redis_port)
    assert (ended.returncode, redis.keys("rq:workers*")) == (0, []), ended.stderr


def test_a_pool_that_ends_starts_no_more(redis_port: int) -> None:
    """A pool that was told to end while it starts workers anew starts none that nobody would end."""
    pool = PriorityWorkerPool(Settings.load(redis_port=redis_port, workers="2"))
    pool.request_stop()  # type: ignore[no-untyped-call]
    pool.start_worker()
    assert pool.worker_dict == {}


def test_a_redis_that_hangs_holds_up_an_end_for_seconds_only(redis_port: int) -> None:
    """What a worker asks of Redis while signals are held back is given up after five seconds, not after minutes."""
    settings = Settings.load(redis_port=redis_port)
    connection = sync_connection(settings)
    PriorityWorker(["high", "low"], connection=connection, settings=settings)
    assert connection.connection_pool.connection_kwargs["socket_timeout"] == 5
