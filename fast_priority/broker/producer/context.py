"""What the parts of one gateway that send its requests have in common."""

from collections.abc import Callable
from typing import Any, NamedTuple

from fast_priority.broker.connection import RedisHealth, RedisOutage
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.broker.producer.submission import Submission, SubmitOutcome
from fast_priority.settings import Settings


class SubmitContext(NamedTuple):
    """One gateway at the queues."""

    options: dict[str, Any]
    """Those of its connections to Redis."""
    settings: Settings
    gateway_id: str
    health: RedisHealth
    inbox: Inbox
    note: Callable[[Submission, SubmitOutcome], None]
    """Called once with each submission and its outcome, as soon as the outcome allows to answer the client."""
    outage: RedisOutage
    levels: LevelsInForce
