"""The gateway's side of the queues: requests are submitted, and their responses received."""

from fast_priority.broker.producer.streams import Permit
from fast_priority.broker.producer.submitter import Attempt, Submitter

__all__ = ["Attempt", "Permit", "Submitter"]
