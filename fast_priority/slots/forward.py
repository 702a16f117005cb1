"""One claimed request, carried to the target and its response back, whichever kind of worker does it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, TypeAlias

from fast_priority.errors import GatewayError, RequestLost
from fast_priority.http.fields import content_length
from fast_priority.http.message import Bytes, Reply
from fast_priority.protocol.conversation import Conversation, CreditWindow
from fast_priority.protocol.frames import (
    GO_AGAIN_SECONDS,
    Chunk,
    Credit,
    End,
    Failure,
    ForwardCall,
    Go,
    Head,
    Part,
    pieces_of,
)
from fast_priority.target import Body, Exchange, Target

logger = logging.getLogger("rq.worker")

FinalPart: TypeAlias = Reply | Failure | End
"""What ends a response."""


class GatewayChannel:
    """A worker's line to the gateway that asked: `say` sends a part there, `conversation` has what comes from there.

    `mailbox` is where the worker hears the gateway.
    """

    def __init__(self, mailbox: str, say: Callable[[Part], Awaitable[None]]) -> None:
        self.mailbox = mailbox
        self.say = say
        self.conversation = Conversation()

    async def request_body(self, call: ForwardCall) -> AsyncIterator[Bytes]:
        """Give the body that is still with the client, as the gateway sends it.

        Raises RequestLost for one that is not as long as it said: the target would take the next request for its rest.
        """
        wanting = CreditWindow(call.frames_in_flight)
        declared, size = content_length(call.request.fields), 0
        await self.say(Credit(wanting.below, self.mailbox))
        while True:
            match await self.conversation.next(call.most_sending_silence_seconds):
                case Chunk(data=data):
                    size += len(data)
                    if declared is not None and size > declared:
                        raise RequestLost("its body is longer than its Content-Length")
                    yield data
                    if (below := wanting.take()) is not None:
                        await self.say(Credit(below, self.mailbox))
                case End():
                    if declared not in (None, size):
                        raise RequestLost("its body is shorter than its Content-Length")
                    return
                case other:
                    raise RequestLost(f"a gateway said {type(other).__name__} in the midst of a request body")


async def carry(
    call: ForwardCall,
    line: GatewayChannel,
    target: AbstractAsyncContextManager[Target],
    may_be_sent: Callable[[], bool] = lambda: True,
) -> FinalPart:
    """Send the request, once, and say the response as it comes; give the last part, which the caller is to say.

    `may_be_sent` is asked at the last moment; if it says no, nothing is sent, and that is the answer.
    """
    line.conversation.expect_at_most(call.frames_in_flight)
    try:
        async with target as open_target:
            body = line.request_body(call) if call.request.body is None else call.request.body
            return await _carry(call, line, exchange_for(call, body, open_target, may_be_sent))
    except Exception as error:
        return failure_of(error)


async def carry_on(call: ForwardCall, line: GatewayChannel, exchange: Exchange) -> FinalPart:
    """Do the same with a request that has been sent already."""
    line.conversation.expect_at_most(call.frames_in_flight)
    try:
        return await _carry(call, line, exchange)
    except Exception as error:
        return failure_of(error)


async def hold_slot(line: GatewayChannel) -> NoReturn:
    """Let the gateway talk to the target, and hold the slot for it until this is cancelled."""
    while True:
        await line.say(Go())
        await asyncio.sleep(GO_AGAIN_SECONDS)


def exchange_for(call: ForwardCall, body: Body, target: Target, may_be_sent: Callable[[], bool]) -> Exchange:
    """Give the exchange that the call asks for. Raises MalformedRequest for what cannot be sent."""
    request = call.request
    return target.exchange(
        request.method,
        request.raw_target,
        request.fields,
        body,
        most_response_bytes=target.policy.max_body_bytes,
        may_be_sent=may_be_sent,
    )


def failure_of(error: Exception) -> Failure:
    """Give what the gateway hears of an error; one that nobody thought of is for the log."""
    if isinstance(error, GatewayError):
        return Failure(error.slug, error.detail)
    logger.error("forwarding failed", exc_info=error)
    return Failure(GatewayError.slug, "the worker failed; its log says how")


async def _carry(call: ForwardCall, line: GatewayChannel, exchange: Exchange) -> Reply | End:
    async with exchange as response:
        whole = await response.whole_if_quick()
        if whole is not None:
            return Reply(response.status, response.fields, whole, response.http_version)
        line.conversation.grant_credit(call.frames_in_flight)
        await line.say(Head(response.status, response.fields, line.mailbox, response.http_version))
        async for data in response.chunks():
            for piece in pieces_of(data):
                await line.say(Chunk(await line.conversation.turn(call.most_taking_silence_seconds), piece))
    return End(line.conversation.chunks_said)
