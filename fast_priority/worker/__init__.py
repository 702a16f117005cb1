"""PriorityWorker, an rq worker with slots, and the pool that runs several."""

from fast_priority.worker.rq_worker import PriorityWorker
from fast_priority.worker.worker_pool import PriorityWorkerPool

__all__ = ["PriorityWorker", "PriorityWorkerPool"]
