"""The gateway's side of the queues: requests are submitted, and their responses received."""

from fast_priority.broker.producer.streams import Permit
from fast_priority.broker.producer.submitter import Submitter

__all__ = ["Permit", "Submitter"]
