"""One request at the target without a task of its own: sent at once, its response whole, small and soon there.

Most are like that, and a task costs more than all that is done in it for them. What turns out to be otherwise is handed
over, in the midst, to whoever has a task to wait in.
"""

from typing import Protocol

from fast_priority.http.message import Reply
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import QUICK_AND_DECLARED_SECONDS, QUICK_SECONDS, Exchange


class Sender(Protocol):
    """Who sends somebody on an errand."""

    def take_reply(self, reply: Reply) -> None:
        """The errand is over, and this is the response."""

    def take_failure(self, error: Exception) -> None:
        """The errand is over, and this is why there is no response."""

    def take_nothing(self) -> None:
        """The errand was broken off."""

    def take_over(self, exchange: Exchange) -> None:
        """The errand is over, and the exchange, which is under way, has to be gone on with."""


class FastPath:
    """All errands of one worker, on one event loop."""

    def __init__(self) -> None:
        self._quick = {
            seconds: TimeoutQueue(seconds, FastPathRequest.give_up_hope)
            for seconds in (QUICK_SECONDS, QUICK_AND_DECLARED_SECONDS)
        }

    def close(self) -> None:
        """End no more of them for being slow."""
        for deadlines in self._quick.values():
            deadlines.close()

    def begin(self, exchange: Exchange, sender: Sender) -> "FastPathRequest | None":
        """Send the request, if it can be sent at once, and tell the sender later what came of it."""
        errand = FastPathRequest(exchange, sender, self._quick)
        return errand if exchange.begin_now(errand.look) else None


class FastPathRequest:
    """One of them; `FastPath.begin` makes it."""

    __slots__ = ("_deadlines", "_exchange", "_quick", "_sender")

    def __init__(self, exchange: Exchange, sender: Sender, quick: "dict[float, TimeoutQueue[FastPathRequest]]") -> None:
        self._exchange = exchange
        self._sender = sender
        self._quick = quick
        self._deadlines: TimeoutQueue[FastPathRequest] | None = None

    def look(self) -> None:
        """See what has come."""
        try:
            reply = self._what_came()
        except Exception as error:
            self._end()
            self._sender.take_failure(error)
        else:
            if reply is not None:
                self._end()
                self._sender.take_reply(reply)

    def give_up_hope(self) -> None:
        """It is not whole soon."""
        response = self._exchange.response_now()
        if response is not None:
            response.be_slow()
        self._hand_over()

    def break_off(self) -> None:
        """Let it come to nothing."""
        self._end()
        self._sender.take_nothing()

    def _what_came(self) -> Reply | None:
        response = self._exchange.response_now()
        if response is not None:
            whole = response.whole_now()
            if whole is not None:
                return Reply(response.status, response.fields, whole, response.http_version)
        if self._exchange.has_failed or (response is not None and not response.is_small):
            self._hand_over()
        elif response is not None and self._deadlines is None:
            self._deadlines = self._quick[response.quick_seconds]
            self._deadlines.begin(self)
        return None

    def _hand_over(self) -> None:
        self._forget_deadline()
        self._exchange.unwatch()
        self._sender.take_over(self._exchange)

    def _end(self) -> None:
        self._forget_deadline()
        self._exchange.end_now()

    def _forget_deadline(self) -> None:
        if self._deadlines is not None:
            self._deadlines.end(self)
