"""The worker processes of one command: rq's pool, with PriorityWorkers."""

import os
from collections.abc import Callable
from typing import Any

from rq.worker_pool import WorkerPool

from fast_priority.broker.connection import sync_connection
from fast_priority.settings import Settings
from fast_priority.support.parent_death import end_with_parent
from fast_priority.support.signals import reset_stop_signals, stop_signals_blocked
from fast_priority.target import check_tls_files
from fast_priority.worker.rq_worker import PriorityWorker


class PriorityWorkerPool(WorkerPool):
    """Runs FAST_PRIORITY_WORKERS workers, and replaces one that ended by itself. A stop signal ends them all.

    They also end, after what is in flight, when the pool itself is killed: a new pool would double the slots.
    Raises ConfigurationError for TLS files that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        check_tls_files(settings.target_tls)
        pool_pid = os.getpid()

        def make_worker(queues: Any, *, connection: Any, **options: Any) -> PriorityWorker:
            # This runs in the new worker's process. It was forked with the pool's handlers, and stop signals blocked.
            reset_stop_signals()
            end_with_parent(pool_pid)
            # It needs a connection of its own: the pool's was made before the fork, and so were those to the Sentinels.
            return PriorityWorker(queues, settings=settings, connection=sync_connection(settings), **options)

        super().__init__(
            list(settings.levels),
            connection=sync_connection(settings),
            num_workers=settings.worker_processes,
            worker_class=make_worker,  # type: ignore[arg-type]
        )

    def run(self) -> None:
        """Run until a stop signal has ended every worker."""
        start: Callable[..., None] = self.start
        start(logging_level="INFO")

    def start_workers(self, *args: Any, **options: Any) -> None:
        """Start all workers. A stop signal waits until then: it could not end workers that do not run yet."""
        with stop_signals_blocked():
            self._install_signal_handlers()  # type: ignore[no-untyped-call]
            super().start_workers(*args, **options)

    def start_worker(self, *args: Any, **options: Any) -> None:
        """Start one worker, unless the pool is ending: it would not be ended with the others."""
        with stop_signals_blocked():
            if self.status is self.Status.STOPPED:
                return
            # It begins with the pool's handlers, which would end the other workers but not itself.
            super().start_worker(*args, **options)
