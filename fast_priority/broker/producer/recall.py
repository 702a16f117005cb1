"""The question to Redis about submits whose answer was lost."""

import time
from collections.abc import Sequence
from typing import Any, Literal

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts
from fast_priority.broker.connection import RedisHealth, connect
from fast_priority.broker.jobs import new_job_id
from fast_priority.broker.producer.inbox import Inbox
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import End, Frame, encode
from fast_priority.protocol.wire_version import WIRE_VERSION
from fast_priority.support.stalls import Timeout

_ANSWER_SECONDS = 1.0
_INBOX_SECONDS = 2.0

State = Literal["queued", "started", "absent"]


class Recall:
    """Asks on its own connections: those of the submits may be the ones that lose answers."""

    def __init__(self, options: dict[str, Any], gateway_id: str, health: RedisHealth, inbox: Inbox) -> None:
        self._redis: Redis = connect(options, _ANSWER_SECONDS)
        self._gateway_id = gateway_id
        self._health = health
        self._inbox = inbox

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def ask(self, job_ids: Sequence[str], within_seconds: float) -> tuple[list[State], Conversation]:
        """Return the state of each request, and a marker for `inbox_was_read`. Raises what redis-py raises.

        From then on a request that is absent can never be queued under this id.
        """
        marker_id = new_job_id()
        marker = self._inbox.expect(marker_id)
        call = scripts.RecallCall(
            inbox_key=keys.inbox(self._gateway_id),
            marker=encode(Frame(marker_id, End(0), WIRE_VERSION)),
            ids=job_ids,
        )
        asked_at = time.monotonic()
        try:
            answer = await call.run(self._redis, within_seconds)
        except BaseException:
            self._inbox.forget(marker_id)
            raise
        server, seconds, microseconds, *states = answer
        self._health.note_answer(server, (seconds, microseconds), asked_at)
        if b"absent" not in states:
            self._inbox.forget(marker_id)
        return [state.decode() for state in states], marker


async def inbox_was_read(marker: Conversation) -> bool:
    """Return True once the gateway has read all frames that came before the marker; False if that takes over 2 s."""
    try:
        async with Timeout(_INBOX_SECONDS):
            while not marker.is_ready:
                await marker.wait_until_ready()
    except TimeoutError:
        return False
    return True
