"""Bodies that are too large or too slow for one frame, as the gateway carries them: up to a worker, down from one."""

from collections.abc import AsyncIterator, Awaitable, Callable

from fast_priority.conversation import Conversation, Wanting
from fast_priority.errors import RequestLost, error_for
from fast_priority.message import GRACE_SECONDS, Bytes, Chunk, End, Failure, Head, Part, Want, in_pieces
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
        self._wanting = Wanting(settings.frames_in_flight)
        conversation.expect_at_most(settings.frames_in_flight)
        # The target may wait for more of the request's body, and that for the client.
        self._most_silence_seconds = settings.timeout + GRACE_SECONDS + (settings.client_timeout if uploads else 0)
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
                        self._say(Want(below))
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


async def upload(body: AsyncIterator[Bytes], conversation: Conversation, say: Say) -> None:
    """Carry a body to a worker as far as it is wanted; not a byte of it is read before. What it raises fails it all."""
    try:
        pieces = in_pieces(body)
        while True:
            number = await conversation.turn()
            piece = await anext(pieces, None)
            conversation.progress()
            if piece is None:
                say(End(number))
                return
            # What the client sends until it has been said goes into the next chunk: the busier, the larger.
            await say(Chunk(number, piece))
    except Exception as error:
        conversation.fail(error)
