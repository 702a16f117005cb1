"""Forwarding one request in a task: the response is published as it arrives. Both kinds of worker use it."""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from fast_priority.errors import GatewayError
from fast_priority.http.message import Reply, TargetPolicy
from fast_priority.protocol import silence
from fast_priority.protocol.frames import GO_AGAIN_SECONDS, Chunk, End, Failure, ForwardCall, Go, Head, pieces_of
from fast_priority.settings import Settings
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.target import Exchange

logger = logging.getLogger("rq.worker")

FinalPart: TypeAlias = Reply | Failure | End
"""What ends a response."""


def target_choice(
    settings: Settings, note_other: Callable[[str, str], object] = lambda own, other: None
) -> Callable[[ForwardCall], TargetPolicy]:
    """Return the function that chooses the target of a call: the worker's own if its settings name one.

    `note_other` is called with the base URLs of both for each call that names another target than the worker's own.
    """
    if not settings.target_base_url:
        return lambda call: call.policy
    own = settings.target_policy()

    def choose(call: ForwardCall) -> TargetPolicy:
        if call.policy.base_url != own.base_url:
            note_other(own.base_url, call.policy.base_url)
        return own

    return choose


async def forward(call: ForwardCall, channel: GatewayChannel, exchange: Exchange) -> FinalPart:
    """Publish the response of an exchange as it arrives, and return the final part, which the caller has to publish.

    The exchange may be new, or may have been begun by the fast path. An error is returned as a Failure.
    """
    channel.conversation.limit_unread(call.frames_in_flight)
    try:
        async with exchange as response:
            whole = await response.whole_if_quick()
            if whole is not None:
                return Reply(response.status, response.fields, whole, response.http_version, exchange.times(response))
            channel.conversation.grant_credit(call.frames_in_flight)
            times = exchange.times(response)
            await channel.publish(Head(response.status, response.fields, channel.mailbox, response.http_version, times))
            async for data in response.chunks():
                for piece in pieces_of(data):
                    number = await channel.conversation.acquire_credit(silence.of_gateway_with_response(call))
                    await channel.publish(Chunk(number, piece))
        return End(channel.conversation.chunks_sent)
    except Exception as error:
        return failure_of(error)


async def hold_slot(channel: GatewayChannel) -> NoReturn:
    """Let the gateway itself talk to the target, and hold the slot for it until this is cancelled."""
    while True:
        await channel.publish(Go())
        await asyncio.sleep(GO_AGAIN_SECONDS)


def failure_of(error: Exception) -> Failure:
    """Return the Failure for an error. One that is not a GatewayError is a bug, and is logged with its traceback."""
    if isinstance(error, GatewayError):
        return Failure(error.slug, error.detail)
    logger.error("forwarding failed", exc_info=error)
    return Failure(GatewayError.slug, "the worker failed; its log says how")
