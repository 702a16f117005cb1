"""The fast path: a request that is forwarded without a task.

A task costs more than all that is done in it for most requests: a request that can be sent at once on an idle
connection, and whose response is small and soon whole. Such a request takes the fast path. The dispatcher sends it, and
the target's connection calls back each time a part of the response has come. If the response turns out to be large,
slow or broken, the exchange is handed over, as it is, to a task that goes on with it: `forward`.
"""

from collections.abc import Callable

from fast_priority.slots.forward import failure_of
from fast_priority.slots.in_flight import InFlightRequest
from fast_priority.target import Exchange, QuickTimeouts


class FastPath:
    """The requests of one worker that have no task. `hand_over` is called with each that needs one after all."""

    def __init__(self, hand_over: Callable[[InFlightRequest], None]) -> None:
        self._give_task = hand_over
        self._timeouts: QuickTimeouts[InFlightRequest] = QuickTimeouts(self._note_slow)

    def close(self) -> None:
        """Hand no more requests over for being slow."""
        self._timeouts.close()

    def look(self, request: InFlightRequest, exchange: Exchange) -> None:
        """Go on with a request: a part of its response has come, or no more will come."""
        try:
            reply = exchange.reply_now()
        except Exception as error:
            request.end(failure_of(error))
            return
        if reply is not None:
            request.end(reply)
        elif exchange.needs_task:
            self._hand_over(request, exchange)
        elif request.fast_timeouts is None:
            request.fast_timeouts = self._timeouts.begin(request, exchange)

    def _note_slow(self, request: InFlightRequest) -> None:
        exchange = request.exchange
        if exchange is not None:
            exchange.mark_slow()
            self._hand_over(request, exchange)

    def _hand_over(self, request: InFlightRequest, exchange: Exchange) -> None:
        if request.fast_timeouts is not None:
            request.fast_timeouts.end(request)
        exchange.unwatch()
        self._give_task(request)
