"""The worker's side of the queues: claims, what is published about them, and their leases."""

from fast_priority.broker.consumer.claims import Claim, ClaimResult, Consumer, OutgoingPart
from fast_priority.broker.consumer.leases import Leases
from fast_priority.broker.consumer.stock_rq import StockRq

__all__ = ["Claim", "ClaimResult", "Consumer", "Leases", "OutgoingPart", "StockRq"]
