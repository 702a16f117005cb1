"""The keys and arguments of each script. The head of the Lua file says what they mean and what the script returns."""

from dataclasses import dataclass
from typing import NamedTuple

from fast_priority.broker import keys
from fast_priority.broker.scripts.script_call import (
    Flag,
    Key,
    LaneKeys,
    LaneNumbers,
    Lanes,
    Number,
    Rows,
    ScriptCall,
    Text,
    Texts,
)
from fast_priority.errors import NotSent
from fast_priority.protocol.frames import Cancel, Failure, Go, encode_part

_NOT_SENT_PART = encode_part(Failure(NotSent.slug, "its gateway has shown no sign of life, as if it was gone"))
_GO_PART = encode_part(Go())
_CANCEL_PART = encode_part(Cancel())


class SubmittedRequest(NamedTuple):
    """One request for `SubmitCall`."""

    id: str
    lane: str
    data: bytes
    time: str
    """As rq writes times."""
    description: str
    queue_until: float
    """The time of Redis, in seconds, after which the request must not be queued."""
    goes_first: int
    may_repeat: int
    ttl: int
    """Seconds that it may wait."""


@dataclass(kw_only=True, eq=False)
class Queueing:
    """What a script needs for `queueing.lua`."""

    wake_up_key: Key
    gateway_key: Key
    levels_key: Key = keys.LEVELS
    queue_keys: LaneKeys
    gateway_id: Text
    levels: Text
    change: Number
    holds_levels: Flag
    most_wake_ups: Number
    gateway_ttl_ms: Number
    lanes: Lanes
    limits: LaneNumbers
    job_fields: Texts
    requests: Rows[SubmittedRequest]


@dataclass(kw_only=True, eq=False)
class Claiming:
    """What a script needs for `claiming.lua`."""

    wake_up_key: Key
    suspended_key: Key
    last_claim_key: Key
    levels_key: Key = keys.LEVELS
    queue_keys: LaneKeys
    started_keys: LaneKeys
    execution_id: Text
    time: Text
    not_sent_part: Text = _NOT_SENT_PART
    free_slots: Number
    lease_ms: Number
    most_jobs: Number
    is_retry: Flag
    lanes: Lanes


@dataclass(kw_only=True, eq=False)
class SubmitCall(Queueing, ScriptCall, script="submit", needs=["this_server", "lanes", "queueing"]):
    """Put requests on their queues."""


@dataclass(kw_only=True, eq=False)
class ClaimCall(Claiming, ScriptCall, script="claim", needs=["this_server", "gateways", "lanes", "claiming"]):
    """Start waiting requests."""

    worker_name: Text
    is_sent_ahead: Flag


@dataclass(kw_only=True, eq=False)
class TurnCall(
    Queueing, Claiming, ScriptCall, script="turn", needs=["this_server", "gateways", "lanes", "queueing", "claiming"]
):
    """Settle, start, queue and claim requests of a gateway with slots."""

    go_part: Text = _GO_PART
    cancel_part: Text = _CANCEL_PART
    settled: Texts
    returned: Texts


@dataclass(kw_only=True, eq=False)
class RecallCall(ScriptCall, script="recall", needs=["this_server"]):
    """Return the state of submits whose answer was lost."""

    inbox_key: Key
    marker: Text
    ids: Texts


class PublishedPart(NamedTuple):
    """One part for `PublishCall`."""

    id: str
    execution_id: str
    lane: str
    gateway_id: str
    frame: bytes
    is_last: int


@dataclass(kw_only=True, eq=False)
class PublishCall(ScriptCall, script="publish"):
    """Publish parts of responses."""

    started_keys: LaneKeys
    lanes: Lanes
    parts: Rows[PublishedPart]
    in_order: bool = False


@dataclass(kw_only=True, eq=False)
class PushCall(ScriptCall, script="push"):
    """Push frames on a mailbox."""

    mailbox_key: Key
    frames: Texts
    in_order: bool = False


class RenewedLease(NamedTuple):
    """One lease for `RenewCall`."""

    id: str
    execution_id: str
    lane: str
    gateway_id: str
    has_job: int


@dataclass(kw_only=True, eq=False)
class RenewCall(ScriptCall, script="renew", needs=["this_server", "gateways", "lanes"]):
    """Renew the leases of a worker and its record."""

    record_key: Key
    workers_key: Key
    levels_key: Key = keys.LEVELS
    started_keys: LaneKeys
    lane_workers_keys: LaneKeys
    worker_name: Text
    time: Text
    lease_ms: Number
    gateways_may_be_late: Flag
    restore: Flag
    lanes: Lanes
    record: Texts
    leases: Rows[RenewedLease]


@dataclass(kw_only=True, eq=False)
class LookCall(ScriptCall, script="look", needs=["this_server", "gateways"]):
    """Return whether a gateway lives."""

    gateway_id: Text
    in_order: bool = True


class WithdrawnRequest(NamedTuple):
    """One request for `WithdrawCall`."""

    id: str
    lane: str
    cancel_frame: bytes


@dataclass(kw_only=True, eq=False)
class WithdrawCall(ScriptCall, script="withdraw"):
    """Take requests back."""

    queue_keys: LaneKeys
    lanes: Lanes
    requests: Rows[WithdrawnRequest]


@dataclass(kw_only=True, eq=False)
class WatchCall(ScriptCall, script="watch", needs=["this_server"]):
    """Check the waiting requests of a gateway."""

    inbox_key: Key
    processing_key: Key
    started_keys: LaneKeys
    lanes: Lanes
    ids: Texts


@dataclass(kw_only=True, eq=False)
class LevelsCall(ScriptCall, script="levels", needs=["lanes"]):
    """Keep the levels of a gateway in force."""

    levels_key: Key = keys.LEVELS
    queues_key: Key = keys.QUEUES
    queue_keys: LaneKeys
    started_keys: LaneKeys
    levels: Text
    change: Number
    takes_over: Flag
    may_begin: Flag
    lanes: Lanes


NAMES = {call.digest: call.name for call in ScriptCall.__subclasses__()}
"""The name of each script by its digest."""
