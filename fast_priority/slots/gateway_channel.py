"""A worker's channel to the gateway that submitted a request: parts out, a conversation in, and the request's body."""

from collections.abc import AsyncIterator, Awaitable, Callable

from fast_priority.errors import RequestLost
from fast_priority.http.fields import content_length
from fast_priority.http.message import Bytes
from fast_priority.protocol import silence
from fast_priority.protocol.conversation import Conversation, CreditWindow
from fast_priority.protocol.frames import Chunk, Credit, End, ForwardCall, Part


class GatewayChannel:
    """The channel of one request. PriorityWorker and a stock rq worker's job use the same one.

    `publish` sends a part to the gateway and returns once it is on its way. The gateway answers to `mailbox`, and what
    comes there is handed to `receive`.
    """

    __slots__ = ("conversation", "mailbox", "publish")

    def __init__(self, mailbox: str, publish: Callable[[Part], Awaitable[None]]) -> None:
        self.mailbox = mailbox
        self.publish = publish
        self.conversation = Conversation()

    def receive(self, part: Part) -> None:
        """Take a part that the gateway has sent."""
        self.conversation.receive(part)

    async def request_body(self, call: ForwardCall) -> AsyncIterator[Bytes]:
        """Yield the body that is still with the client, as the gateway sends it.

        Raises RequestLost if its length is not the declared one: the target would take the next request for its rest.
        """
        window = CreditWindow(call.frames_in_flight)
        declared, size = content_length(call.request.fields), 0
        await self.publish(Credit(window.granted, self.mailbox))
        while True:
            match await self.conversation.next(silence.of_gateway_with_request(call)):
                case Chunk(data=data):
                    size += len(data)
                    if declared is not None and size > declared:
                        raise RequestLost("its body is longer than its Content-Length")
                    yield data
                    if (granted := window.take()) is not None:
                        await self.publish(Credit(granted, self.mailbox))
                case End():
                    if declared not in (None, size):
                        raise RequestLost("its body is shorter than its Content-Length")
                    return
                case other:
                    raise RequestLost(f"a gateway sent {type(other).__name__} inside a request body")
