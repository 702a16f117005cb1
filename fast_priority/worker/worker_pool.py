"""The worker processes of one command: rq's pool, of PriorityWorkers."""

import signal
from collections.abc import Callable
from typing import Any

from rq.worker_pool import WorkerPool

from fast_priority.broker.connection import sync_connection
from fast_priority.settings import Settings
from fast_priority.support.signals import TO_END, held_back
from fast_priority.worker.rq_worker import PriorityWorker


class PriorityWorkerPool(WorkerPool):
    """Runs FAST_PRIORITY_WORKERS workers, and starts one anew that ended by itself. SIGTERM or SIGINT ends them all."""

    def __init__(self, settings: Settings) -> None:
        def make_worker(queues: Any, *, connection: Any, **options: Any) -> PriorityWorker:
            # This runs in the new worker's process. What it was forked with ends the pool, and is held back besides.
            for number in TO_END:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, TO_END)
            # One of its own: the pool's was made before the fork, and so were those to the Sentinels behind it.
            return PriorityWorker(queues, settings=settings, connection=sync_connection(settings), **options)

        super().__init__(
            ["high", "low"],
            connection=sync_connection(settings),
            num_workers=settings.worker_processes,
            worker_class=make_worker,  # type: ignore[arg-type]
        )

    def run(self) -> None:
        """Run until a signal has ended every worker."""
        start: Callable[..., None] = self.start
        start(logging_level="INFO")

    def start_workers(self, *args: Any, **options: Any) -> None:
        """Start them all; a signal waits until then, as it could not end those that are yet to come."""
        with held_back():
            self._install_signal_handlers()  # type: ignore[no-untyped-call]
            super().start_workers(*args, **options)

    def start_worker(self, *args: Any, **options: Any) -> None:
        """Start one, unless all are to end: nobody would tell it. A signal waits until it can be told."""
        with held_back():
            if self.status is self.Status.STOPPED:
                return
            # It begins with the pool's handlers, which would end its siblings but not itself.
            super().start_worker(*args, **options)
