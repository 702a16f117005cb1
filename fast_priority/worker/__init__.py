"""The worker as rq knows it: registration, heartbeat, signals, and the pool of processes.

`slots` has the loop that does its work. `job` is what a stock rq worker runs in its place.

- `rq_worker`: PriorityWorker: an rq worker with slots.
- `worker_pool`: PriorityWorkerPool: rq's pool of them.
"""

from fast_priority.worker.rq_worker import PriorityWorker
from fast_priority.worker.worker_pool import PriorityWorkerPool

__all__ = ["PriorityWorker", "PriorityWorkerPool"]
