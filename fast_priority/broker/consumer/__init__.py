"""The worker's side of the queues.

- `claims`: claim requests and publish parts of their responses, in one round trip.
- `leases`: renew the leases of requests in flight, and the sign of life of the worker.
- `stock_rq`: the steps that use rq's own code, for PriorityWorkers and stock rq workers.
"""

from fast_priority.broker.consumer.claims import Claim, ClaimResult, Consumer, OutgoingPart
from fast_priority.broker.consumer.leases import Leases
from fast_priority.broker.consumer.stock_rq import StockRq

__all__ = ["Claim", "ClaimResult", "Consumer", "Leases", "OutgoingPart", "StockRq"]
