"""The fast path: a request that is forwarded without a task.

A task costs more than all that is done in it for most requests: a request that can be sent at once on an idle
connection, and whose response is small and soon whole. Such a request takes the fast path. The dispatcher sends it, and
the target's connection calls back each time a part of the response has come. If the response turns out to be large,
slow or broken, the exchange is handed over, as it is, to a task that goes on with it: `forward`.
"""

from collections.abc import Callable

from fast_priority.http.message import Reply
from fast_priority.slots.forward import failure_of
from fast_priority.slots.in_flight import InFlightRequest
from fast_priority.support.timeout_queue import TimeoutQueue
from fast_priority.target import QUICK_AND_DECLARED_SECONDS, QUICK_SECONDS, Exchange


class FastPath:
    """The requests of one worker that have no task. `hand_over` is called with each that needs one after all."""

    def __init__(self, hand_over: Callable[[InFlightRequest], None]) -> None:
        self._give_task = hand_over
        self._timeouts = {
            seconds: TimeoutQueue(seconds, self._note_slow) for seconds in (QUICK_SECONDS, QUICK_AND_DECLARED_SECONDS)
        }

    def close(self) -> None:
        """Hand no more requests over for being slow."""
        for timeouts in self._timeouts.values():
            timeouts.close()

    def look(self, request: InFlightRequest, exchange: Exchange) -> None:
        """Go on with a request: a part of its response has come, or no more will come."""
        try:
            reply = self._reply_now(request, exchange)
        except Exception as error:
            request.end(failure_of(error))
        else:
            if reply is not None:
                request.end(reply)

    def _reply_now(self, request: InFlightRequest, exchange: Exchange) -> Reply | None:
        response = exchange.response_now()
        if response is not None:
            whole = response.whole_now()
            if whole is not None:
                return Reply(response.status, response.fields, whole, response.http_version)
        if exchange.has_failed or (response is not None and not response.is_small):
            self._hand_over(request, exchange)
        elif response is not None and request.fast_timeouts is None:
            request.fast_timeouts = self._timeouts[response.quick_seconds]
            request.fast_timeouts.begin(request)
        return None

    def _note_slow(self, request: InFlightRequest) -> None:
        exchange = request.exchange
        if exchange is not None:
            response = exchange.response_now()
            if response is not None:
                response.mark_slow()
            self._hand_over(request, exchange)

    def _hand_over(self, request: InFlightRequest, exchange: Exchange) -> None:
        if request.fast_timeouts is not None:
            request.fast_timeouts.end(request)
        exchange.unwatch()
        self._give_task(request)
