"""What a gateway and a worker share for longer than one frame: bodies in both directions, and permits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fast_priority.errors import RequestLost, error_for
from fast_priority.http.message import Bytes
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import Conversation, CreditWindow
from fast_priority.protocol.frames import Chunk, Credit, End, Failure, Head, Part, in_pieces
from fast_priority.settings import Settings

Publish = Callable[[Part], Awaitable[None]]
"""Publishes a part for the worker, also if its result is not awaited. If it cannot, the conversation fails."""


class Stream:
    """A response whose body follows its head.

    Close it in any case. If it is closed before the end of its body, the worker receives a Cancel frame.
    """

    def __init__(
        self,
        head: Head,
        conversation: Conversation,
        settings: Settings,
        publish: Publish,
        close: Callable[[bool], None],
        *,
        uploads: bool,
    ) -> None:
        self.status = head.status
        self.fields = head.fields
        self.http_version = head.http_version
        self._conversation = conversation
        self._credit = CreditWindow(settings.frames_in_flight)
        conversation.limit_unread(settings.frames_in_flight)
        self._most_silence_seconds = silence.of_worker_within_response(
            settings.timeout, settings.client_timeout, uploads=uploads
        )
        self._publish = publish
        self._close = close
        self._has_ended = False

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Yield the body as it is received. Raises GatewayError if it ends early."""
        while not self._has_ended:
            match await self._conversation.next(self._most_silence_seconds):
                case Chunk(data=data):
                    yield data
                    if (below := self._credit.take()) is not None:
                        self._publish(Credit(below))
                case End():
                    self._has_ended = True
                case Failure(slug, detail):
                    self._has_ended = True
                    raise error_for(slug, detail)
                case other:
                    raise RequestLost(f"a worker sent {type(other).__name__} within a response")

    def close(self) -> None:
        """Read no more of it."""
        self._close(self._has_ended)


class Permit:
    """The right to talk to the target in a worker's place. The worker holds a slot for it until `close`.

    Close it in any case. As an async context manager it closes itself at the end of the block. If the worker is lost
    within the block, the block is cancelled, and its end raises the GatewayError that says why.
    """

    def __init__(self, conversation: Conversation, close: Callable[[bool], None]) -> None:
        self._conversation = conversation
        self._close = close
        self._has_ended = False
        self._is_closed = False
        self._task: asyncio.Task[object] | None = None
        self._cancellations_before = 0
        self._coming: asyncio.Future[None] | None = None
        self._lost: Exception | None = None

    def close(self) -> None:
        """Free the slot, in the background. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._close(self._has_ended)

    async def __aenter__(self) -> "Permit":
        self._task = asyncio.current_task()
        self._cancellations_before = self._task.cancelling() if self._task else 0
        self._watch()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task, self._task = self._task, None
        if self._coming is not None:
            self._coming.remove_done_callback(self._look)  # so that no reference cycle remains
        self.close()
        lost, self._lost = self._lost, None
        if lost is None or task is None:
            return
        is_ours_alone = task.uncancel() <= self._cancellations_before
        if is_ours_alone and kind is asyncio.CancelledError:
            raise lost from None

    def _watch(self) -> None:
        self._coming = self._conversation.becoming_ready()
        if self._conversation.is_ready:  # which came before the permit was entered
            self._conversation.wake()
        self._coming.add_done_callback(self._look)

    def _look(self, _: object) -> None:
        if self._task is None:
            return
        if not self._conversation.is_ready:  # it was only stirred
            self._watch()
            return
        try:
            self._lost = self._ended_by(self._conversation.take())
        except Exception as error:
            self._lost = error
        self._task.cancel()

    def _ended_by(self, part: Part) -> Exception:
        if isinstance(part, Failure):
            self._has_ended = True
            return error_for(part.slug, part.detail)
        return RequestLost(f"a worker sent {type(part).__name__} after a permit")


class OwnSlot:
    """The right to talk to the target, with a slot of this gateway. Close it in any case, as a Permit."""

    __slots__ = ("_close",)

    def __init__(self, close: Callable[[], None]) -> None:
        self._close: Callable[[], None] | None = close

    def close(self) -> None:
        """Free the slot. A second call does nothing."""
        close, self._close = self._close, None
        if close is not None:
            close()

    async def __aenter__(self) -> "OwnSlot":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


async def upload(body: AsyncIterator[Bytes], conversation: Conversation, publish: Publish) -> None:
    """Send a body to a worker, no faster than its credit. Nothing is read ahead. An error fails the conversation."""
    try:
        pieces = in_pieces(body)
        while True:
            number = await conversation.acquire_credit()
            piece = await anext(pieces, None)
            conversation.note_progress()
            if piece is None:
                publish(End(number))
                return
            # Bytes that arrive meanwhile go into the next chunk: under load the chunks are larger.
            await publish(Chunk(number, piece))
    except Exception as error:
        conversation.fail(error)
