"""rq's synchronous connection to Redis, and the steps of a worker that use rq's own code."""

import enum
from typing import Any

from redis import Redis as SyncRedis
from redis.exceptions import ResponseError

from fast_priority.broker import keys, times
from fast_priority.broker.connection import (
    CONNECTION_ERRORS,
    Command,
    ServerFacts,
    options_of,
    problem_of,
    read_server_facts_now,
)
from fast_priority.broker.jobs import Claim
from fast_priority.broker.other_versions import MOST_WARNINGS, decode_warnings, encode_warnings
from fast_priority.broker.refused_jobs import refuse
from fast_priority.broker.scripts import LookCall, is_wrong_type
from fast_priority.protocol.frames import Frame, Part, encode
from fast_priority.protocol.wire_version import WIRE_VERSION, version_in

_NO_TTL = -1  # as Redis answers for a key that never expires


class GatewayState(enum.Enum):
    """Whether a gateway lives, as look.lua returns it."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


class RqConnection:
    """The connection that rq made, for a PriorityWorker or for a job of a stock rq worker.

    Each method that uses it blocks for a round trip, and raises what redis-py raises.
    """

    def __init__(self, connection: SyncRedis) -> None:
        self._connection = connection

    @property
    def options(self) -> dict[str, Any]:
        """The options for asyncio connections to the same Redis. Raises ConfigurationError; see `options_of`."""
        return options_of(self._connection)

    def problem(self) -> str | None:
        """Return why a worker cannot register now, in words and with the error: Redis is away, or refuses writes."""
        try:
            self._connection.sadd(keys.QUEUES, *keys.LANES.queues)
        except CONNECTION_ERRORS as error:
            # A key of the wrong type is no reason to wait: Redis takes writes.
            return None if is_wrong_type(error) else f"{problem_of(error).words}: {error}"
        return None

    def server_facts(self) -> ServerFacts:
        """Return what the server says of itself."""

        def ask(command: Command) -> Any:
            try:
                return self._connection.execute_command(*command)  # type: ignore[no-untyped-call]
            except ResponseError as refusal:
                return refusal

        return read_server_facts_now(ask)

    def refuse(self, claim: Claim, reason: str) -> None:
        """Move a claimed job that is not ours to rq's failed registry, with the reason."""
        with self._connection.pipeline() as pipeline:
            refuse(pipeline, claim, reason)
            pipeline.execute()

    def gateway_state(self, gateway_id: str) -> GatewayState:
        """Return whether the gateway that submitted a request lives, and note that Redis runs.

        It is unknown for some seconds after Redis has not run, and where this is the first look for long.
        """
        if not gateway_id:
            return GatewayState.GONE
        call = LookCall(gateway_id=gateway_id)
        state = self._connection.execute_command(*call.command)  # type: ignore[no-untyped-call]
        return GatewayState(state.decode())

    def begin(self, job_id: str, worker_name: str) -> tuple[str, int]:
        """Note that a stock worker runs a job, and return the job's gateway, '' if there is none, and wire version.

        By the note, a gateway recognises a job that failed elsewhere, and health a stock worker that runs our code.
        """
        job, worker = keys.job(job_id), keys.WORKER_PREFIX + worker_name
        with self._connection.pipeline() as pipeline:
            pipeline.hmget(job, "gateway", "wire", "status")
            pipeline.hset(job, "forwarded", "1")
            pipeline.hset(worker, "wire", WIRE_VERSION)
            pipeline.ttl(worker)
            (gateway_id, version, status), *_, worker_ttl = pipeline.execute()
        # No note may last for ever where job or record was gone.
        if status is None:
            self._connection.delete(job)
        if worker_ttl == _NO_TTL:
            self._connection.expire(worker, times.WORKER_TTL_SECONDS)
        return (gateway_id or b"").decode(errors="replace"), version_in(version)

    def note_warning(self, worker_name: str, text: str) -> bool:
        """Add a warning of a stock worker to its record. Return False if it is there, or if there are many already."""
        worker = keys.WORKER_PREFIX + worker_name
        field = self._connection.hget(worker, "warnings")
        known = decode_warnings(field if isinstance(field, bytes) else None)
        is_new = text not in known and len(known) < MOST_WARNINGS
        if is_new:
            self._connection.hset(worker, "warnings", encode_warnings([*known, text]))
        return is_new

    def publish(self, gateway_id: str, job_id: str, part: Part, version: int = WIRE_VERSION) -> bool:
        """Publish a part for a gateway; rq itself ends the job. Return False, and publish nothing, if that is gone."""
        is_alive = self._connection.exists(keys.gateway(gateway_id))
        if not is_alive and self.gateway_state(gateway_id) is GatewayState.GONE:
            return False
        with self._connection.pipeline() as pipeline:
            pipeline.rpush(keys.inbox(gateway_id), encode(Frame(job_id, part, version)))
            pipeline.expire(keys.inbox(gateway_id), times.INBOX_TTL_SECONDS)
            pipeline.execute()
        return True
