"""The gateway's side of the queues.

- `submitter`: submit a request and return its response; the only class that others use.
- `context`: what the parts that send requests have in common.
- `submission`: one request on its way to its queue. `submit_outbox`: all of them, in batches.
- `lost_answers`: the outcome of submits whose answer was lost. `recall`: the question to Redis about them.
- `own_slots`: the slots of a gateway that forwards by itself. `slot_ledger`: which of them are taken.
  `turn_outbox`: what submits, claims and settles for them, in one round trip: a `turn`. `unsent`: what waits for one.
  `turns_in_flight`: those without an answer. `turn_rhythm`: when the next one begins.
- `inbox`: frames from workers, for the conversations that wait. `lost_requests`: which of those have lost their worker.
- `frame_outbox`: frames for workers. `streams`: bodies in both directions, and permits.
- `withdrawals`: requests that are taken back. `unclaimed`: how long requests wait for a worker.
- `heartbeat`: the sign of life of the gateway. `deployment_id`: the identity that all gateways share.
"""

from fast_priority.broker.producer.streams import OwnSlot, Permit
from fast_priority.broker.producer.submission import Payload, Submission
from fast_priority.broker.producer.submitter import Attempt, Submitter

__all__ = ["Attempt", "OwnSlot", "Payload", "Permit", "Submission", "Submitter"]
