"""PriorityWorker: an rq worker with slots.

rq's worker forks for each job and makes five round trips to Redis for it. This one is an rq worker like others (`rq
info`, `rq suspend`, signals, commands, WorkerPool), but forwards its requests on one event loop, and publishes and
claims in one round trip. It runs no function at all: a job is data, and forwarding that data is all the worker can do.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from redis import Redis as SyncRedis
from redis.client import PubSub, PubSubWorkerThread
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.queue import Queue
from rq.worker import BaseWorker
from rq.worker_registration import clean_worker_registry

from fast_priority.broker.connection import CONNECTION_ERRORS
from fast_priority.broker.consumer import RqConnection
from fast_priority.broker.jobs import WriteOnlySerializer
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.events import Events
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.slots.loop import WorkerLoop
from fast_priority.support.gc_tuning import collect_rarely
from fast_priority.support.outage_log import OutageLog
from fast_priority.support.signals import stop_signals_blocked
from fast_priority.target import check_tls_files

logger = logging.getLogger("rq.worker")

_REMIND_SECONDS = 60.0
_ANSWER_SECONDS = 5  # stop signals are blocked while a worker registers: not for longer, even if Redis hangs


class PriorityWorker(BaseWorker):
    """Serves the queues of all levels, whatever names it is given, with FAST_PRIORITY_WORKER_CONCURRENCY slots.

    The levels and their order are those that gateways have put in force, as Redis has them when a request is claimed.

    It never claims a request for which it has no slot. At SIGTERM or SIGINT it finishes what is in flight and claims no
    more; at a second one, over a second later, it leaves at once. While Redis is away, it waits, and goes on by itself.
    """

    def __init__(
        self,
        queues: str | Queue | Sequence[str] | Sequence[Queue],
        name: str | None = None,
        connection: SyncRedis | None = None,
        settings: Settings | None = None,
        prepare_for_work: bool = True,
        **options: Any,
    ) -> None:
        self._settings = settings or Settings.load()
        check_tls_files(self._settings.target_tls)
        if connection is not None and prepare_for_work:
            wait_for_redis(connection)
        # rq's own serializer would unpickle anything that stands in a job's hash.
        options["serializer"] = WriteOnlySerializer
        self._lanes = KnownLanes(map(Priority, self._settings.levels))
        # Only rq's tools make one that does not prepare for work: it stands for a worker that runs elsewhere.
        names = list(self._lanes.current.names) if prepare_for_work else _names(queues)
        self._serves_all = prepare_for_work
        super().__init__(names, name, connection=connection, prepare_for_work=prepare_for_work, **options)
        self.slots = self._settings.worker_concurrency
        self.events = Events()
        """What happens to the slots of this worker: subscribe before `work`."""

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: Any = None,
    ) -> bool:
        """Serve until a stop signal; with `burst`, until the queues are empty. Return whether any request was served.

        The other options are rq's and have no effect: nothing is scheduled, and the order of the queues is that of the
        levels in force.
        """
        # A signal that ended it while it registers, or in its teardown, would leave its name in rq's registers.
        with stop_signals_blocked():
            return self._work(burst, logging_level, date_format, log_format)

    def _work(self, burst: bool, logging_level: str | None, date_format: str, log_format: str) -> bool:
        self.bootstrap(logging_level, date_format, log_format)
        for queue in self.queues:
            clean_worker_registry(queue)  # the names of workers that were killed
        loop = WorkerLoop(
            name=self.name,
            slots=self.slots,
            settings=self._settings,
            rq_connection=RqConnection(self.connection),
            record=self.serialize,
            burst=burst,
            events=self.events,
            lanes=self._lanes,
        )
        self._log_server()
        collect_rarely()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(loop.run())
        finally:
            with contextlib.suppress(*CONNECTION_ERRORS):
                self.teardown()  # type: ignore[no-untyped-call]
        return loop.served > 0

    def _log_server(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):  # the loop logs that Redis is away
            facts = RqConnection(self.connection).server_facts()
            if facts.version is not None:
                logger.info("Worker %s: Redis has version %s", self.name, facts.version)
            if facts.warning is not None:
                logger.warning("Worker %s: %s", self.name, facts.warning)

    def queue_names(self) -> list[str]:
        """Return the names of the queues that it serves now."""
        return list(self._lanes.current.names) if self._serves_all else super().queue_names()

    @property
    def connection_timeout(self) -> int:
        """How many seconds rq's own commands to Redis may take; rq's own workers block for minutes there."""
        return _ANSWER_SECONDS

    def serialize(self) -> dict[str, Any]:
        """Return the record of this worker in Redis: rq's own, the number of slots, and the wire version."""
        return {**super().serialize(), "slots": self.slots, "wire": WIRE_VERSION}

    def _pubsub_exception_handler(self, exc: Exception, pubsub: PubSub, pubsub_thread: PubSubWorkerThread) -> None:
        # rq's own handler ends the thread when a connection times out, and with it rq's commands to this worker.
        lost = exc if not isinstance(exc, CONNECTION_ERRORS) else RedisConnectionError(str(exc))
        super()._pubsub_exception_handler(lost, pubsub, pubsub_thread)


def wait_for_redis(connection: SyncRedis, sleep: Callable[[float], None] = time.sleep) -> None:
    """Return once Redis answers and takes writes. It is asked every second."""
    outage = OutageLog("the worker cannot begin", logger, remind_seconds=_REMIND_SECONDS)
    rq_connection = RqConnection(connection)
    while (problem := rq_connection.problem()) is not None:
        outage.failure(problem)
        sleep(1.0)
    outage.recovered()


def _names(queues: str | Queue | Sequence[str] | Sequence[Queue]) -> list[str]:
    given: Sequence[str | Queue] = [queues] if isinstance(queues, str | Queue) else queues
    return [queue.name if isinstance(queue, Queue) else queue for queue in given]
