"""The frames that a gateway sends to workers, in order, on their mailboxes."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import CONNECTION_ERRORS, Batcher, Command, problem_of, send_together
from fast_priority.errors import BrokerUnavailable
from fast_priority.protocol.conversation import Conversation
from fast_priority.protocol.frames import Frame, Part, encode
from fast_priority.protocol.wire_version import WIRE_VERSION

_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024
_MEMORY_AGAIN_SECONDS = 0.2
_AGAIN_SECONDS = 0.05
_REPEAT_SECONDS = 30.0


class FrameOutbox:
    """Publishes frames. Those of one event-loop turn share a round trip.

    Frames whose answer was lost are published again, before any later frame, for up to 30 s. The worker drops a frame
    that it receives twice, by its number. If Redis has no memory, a frame is tried again as long as its request lasts.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._batches: Batcher[tuple[str, bytes], ResponseError | None] = Batcher(
            self._publish_all,
            _MOST_AT_ONCE,
            weigh=lambda item: len(item[1]),
            most_weight=_MOST_BYTES_AT_ONCE,
        )

    async def close(self) -> None:
        """Publish no more."""
        await self._batches.close()

    def publish(self, job_id: str, conversation: Conversation, part: Part) -> asyncio.Future[None]:
        """Publish a part on the mailbox of the conversation. Return a future that is done once it is published.

        If it cannot be published, the conversation fails.
        """
        published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(conversation, encode(Frame(job_id, part, WIRE_VERSION)), published)
        return published

    def _put(self, conversation: Conversation, frame: bytes, published: asyncio.Future[None]) -> None:
        if not published.done():
            sent = self._batches.put((conversation.mailbox, frame))
            sent.add_done_callback(partial(self._note_sent, conversation, frame, published))

    def _note_sent(
        self,
        conversation: Conversation,
        frame: bytes,
        published: asyncio.Future[None],
        sent: asyncio.Future[ResponseError | None],
    ) -> None:
        if sent.cancelled():
            published.cancel()
            return
        refusal = sent.exception() or sent.result()
        if published.done():
            return
        if refusal is None:
            published.set_result(None)
        elif scripts.is_out_of_memory(refusal):
            asyncio.get_running_loop().call_later(_MEMORY_AGAIN_SECONDS, self._put, conversation, frame, published)
        else:
            failure = BrokerUnavailable(f"{problem_of(refusal).words}, so the request cannot go on")
            conversation.fail(failure)
            published.set_exception(failure)
            published.exception()  # mark it as retrieved: a caller that does not wait sees that the conversation failed

    async def _publish_all(self, items: Sequence[tuple[str, bytes]]) -> Sequence[ResponseError | None]:
        since = time.monotonic()
        while True:
            try:
                return await self._publish_once(items)
            except CONNECTION_ERRORS:
                if time.monotonic() - since > _REPEAT_SECONDS:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _publish_once(self, items: Sequence[tuple[str, bytes]]) -> Sequence[ResponseError | None]:
        """Push frames on mailboxes. Return for each the error with which Redis refused it, or None."""
        pushes: list[Command] = [("RPUSH", keys.inbox(mailbox), frame) for mailbox, frame in items]
        mailboxes = {mailbox for mailbox, _ in items}
        expires: list[Command] = [("EXPIRE", keys.inbox(mailbox), times.INBOX_TTL_SECONDS) for mailbox in mailboxes]
        answers = (await send_together(self._redis, [*pushes, *expires]))[: len(pushes)]
        # A small frame that Redis refuses for want of memory is pushed by a script, which Redis does not refuse.
        by_script = [
            number
            for number, answer in enumerate(answers)
            if isinstance(answer, ResponseError)
            and scripts.is_out_of_memory(answer)
            and len(items[number][1]) <= times.MOST_BYTES_WITHOUT_MEMORY
        ]
        if by_script:
            calls = [
                scripts.PushCall(mailbox_key=keys.inbox(mailbox), frames=[frame])
                for mailbox, frame in (items[number] for number in by_script)
            ]
            for number, answer in zip(by_script, await scripts.run_together(self._redis, calls), strict=True):
                answers[number] = answer
        return [answer if isinstance(answer, ResponseError) else None for answer in answers]
