"""The worker as rq knows it: registration, heartbeat, signals, and the pool of processes.

`slots` has the loop that does its work. `job` is what a stock rq worker runs in its place.

- `rq_worker`: PriorityWorker: an rq worker with slots.
- `worker_pool`: PriorityWorkerPool: rq's pool of them.
"""

from fast_priority.support.installed_versions import check_installed_versions

# `rq worker -w fast_priority.worker.PriorityWorker` comes here first. Other versions may fail when they are imported.
check_installed_versions()

from fast_priority.worker.rq_worker import PriorityWorker  # noqa: E402
from fast_priority.worker.worker_pool import PriorityWorkerPool  # noqa: E402

__all__ = ["PriorityWorker", "PriorityWorkerPool"]
