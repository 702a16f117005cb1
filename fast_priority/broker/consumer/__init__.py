"""The worker's side of the queues.

- `claims`: claim requests and publish parts of their responses, in one round trip.
- `broker.leases`: renew the leases of requests in flight, and the sign of life of the worker.
- `rq_connection`: rq's synchronous connection to Redis, for the steps that use rq's own code, in both kinds of worker.
"""

from fast_priority.broker.consumer.claims import ClaimResult, Consumer, OutgoingPart
from fast_priority.broker.consumer.rq_connection import GatewayState, RqConnection
from fast_priority.broker.jobs import Claim
from fast_priority.broker.leases import Leases
from fast_priority.broker.times import GATEWAYS_ARE_BACK_SECONDS, LEASE_SECONDS

__all__ = [
    "GATEWAYS_ARE_BACK_SECONDS",
    "LEASE_SECONDS",
    "Claim",
    "ClaimResult",
    "Consumer",
    "GatewayState",
    "Leases",
    "OutgoingPart",
    "RqConnection",
]
