"""What the gateway has of a worker for longer than one frame: bodies, up to it and down from it, and permits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fast_priority.errors import RequestLost, error_for
from fast_priority.http.message import Bytes
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import Conversation, CreditWindow
from fast_priority.protocol.frames import Chunk, Credit, End, Failure, Head, Part, in_pieces
from fast_priority.settings import Settings

Say = Callable[[Part], Awaitable[None]]
"""Says something to the worker, whether or not one waits until it is said; if it does not get there, it all fails."""


class Stream:
    """A response that is under way: its head, and its body as it comes.

    Close it in any case. While it is open its request is looked after; closed before its end, it is given up: the
    worker hears that the client has left.
    """

    def __init__(
        self,
        head: Head,
        conversation: Conversation,
        settings: Settings,
        say: Say,
        close: Callable[[bool], None],
        *,
        uploads: bool,
    ) -> None:
        self.status = head.status
        self.fields = head.fields
        self.http_version = head.http_version
        self._conversation = conversation
        self._wanting = CreditWindow(settings.frames_in_flight)
        conversation.limit_unread(settings.frames_in_flight)
        self._most_silence_seconds = silence.of_worker_within_response(
            settings.timeout, settings.client_timeout, uploads=uploads
        )
        self._say = say
        self._close = close
        self._has_ended = False

    async def chunks(self) -> AsyncIterator[Bytes]:
        """Give the body as it comes. Raises GatewayError when it breaks off."""
        while not self._has_ended:
            match await self._conversation.next(self._most_silence_seconds):
                case Chunk(data=data):
                    yield data
                    if (below := self._wanting.take()) is not None:
                        self._say(Credit(below))
                case End():
                    self._has_ended = True
                case Failure(slug, detail):
                    self._has_ended = True
                    raise error_for(slug, detail)
                case other:
                    raise RequestLost(f"a worker said {type(other).__name__} in the midst of a response")

    def close(self) -> None:
        """Nobody reads on."""
        self._close(self._has_ended)


class Permit:
    """The right to talk to the target in a worker's place: the worker holds its slot until `close`.

    Use it as an async context manager, around what it is for, and close it in any case. If the worker is lost in the
    meantime, the block is cancelled, and leaving it raises the GatewayError that says why. Leaving the block closes it.
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
        """Free the slot, in the background. Closing it twice is the same as once."""
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
            self._coming.remove_done_callback(self._look)  # or a reference cycle would be left
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


async def upload(body: AsyncIterator[Bytes], conversation: Conversation, say: Say) -> None:
    """Carry a body to a worker as far as it is wanted; not a byte of it is read before. What it raises fails it all."""
    try:
        pieces = in_pieces(body)
        while True:
            number = await conversation.acquire_credit()
            piece = await anext(pieces, None)
            conversation.note_progress()
            if piece is None:
                say(End(number))
                return
            # What the client sends until it has been said goes into the next chunk: the busier, the larger.
            await say(Chunk(number, piece))
    except Exception as error:
        conversation.fail(error)
