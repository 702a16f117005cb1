"""One attempt at a request by the gateway itself: past the queues, or with a slot."""

import contextlib
from collections.abc import Callable

from fast_priority.broker.producer import OwnSlot, Permit
from fast_priority.errors import GatewayError
from fast_priority.events import RequestRecord
from fast_priority.gateway.request_body import RequestBody
from fast_priority.gateway.response import ClientResponse
from fast_priority.http.message import Fields, Reply
from fast_priority.target import Exchange, Target


def nothing() -> None:
    """Do nothing when a part of a response has come: the task of the request waits for it."""


class TargetCall:
    """Sends one request to the target and its response to the client, and notes the times. Close it in any case.

    `whole` is the body if it was read ahead. `most_response_bytes` bounds the body of the response; 0 is no limit.
    """

    def __init__(
        self,
        target: Target,
        method: str,
        raw_target: bytes,
        fields: Fields,
        body: RequestBody,
        record: RequestRecord,
        whole: bytes | None,
        most_response_bytes: int = 0,
    ) -> None:
        self._target = target
        self._method = method
        self._raw_target = raw_target
        self._fields = fields
        self._body = body
        self._record = record
        self._whole = whole
        self._most_response_bytes = most_response_bytes
        self.begun: Exchange | None = None
        """What `begin` has sent, until `answer` or `close`."""

    def begin(self, watch: Callable[[], None] = nothing) -> bool:
        """Send the request at once if that needs no waiting, and return whether it was sent.

        Then `watch` is called each time a part of the response has come, and when no more will come. `answer` goes on
        with it, and raises what is wrong.
        """
        if self._whole is None:
            return False
        with contextlib.suppress(GatewayError):
            exchange = self._new_exchange()
            if exchange.begin_now(watch):
                self.begun = exchange
        return self.begun is not None

    def unwatch(self) -> None:
        """Call the `watch` of `begin` no more."""
        if self.begun is not None:
            self.begun.unwatch()

    async def answer(self, response: ClientResponse, slot: Permit | OwnSlot | None = None) -> None:
        """Send the request, unless it was begun, and the response to the client. Raises GatewayError.

        The slot is free as soon as the response has come, if that is small, else when the client has taken it.
        """
        exchange, self.begun = self.begun, None
        if exchange is None:
            exchange = self._new_exchange()
        else:
            exchange.unwatch()
        async with slot or contextlib.nullcontext(), exchange as incoming:
            self._record.note_head(incoming.head_at)
            whole = await incoming.whole_if_quick()
            if whole is None:
                await response.stream(incoming)
                return
            reply = Reply(incoming.status, incoming.fields, whole, incoming.http_version)
        await response.relay(reply)

    def close(self) -> None:
        """End what was begun and never went on."""
        if self.begun is not None:
            self.begun.end_now()
            self.begun = None

    def _new_exchange(self) -> Exchange:
        self._record.note_slot()
        return self._target.exchange(
            self._method,
            self._raw_target,
            self._fields,
            self._body.chunks() if self._whole is None else self._whole,
            most_response_bytes=self._most_response_bytes,
        )
