"""The lines of the log about single requests: those that were refused or failed, and those that are sent again.

They come in floods, so the log has the first of each kind, and then one every 30 s with a count. A request that is
answered has no line, and no line has a query, a field or a body.
"""

import logging

from fast_priority.errors import GatewayError
from fast_priority.events import Events, Failed, Left, Refused, Retried
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)


class RequestLog:
    """Writes what it gets to the log."""

    def __init__(self) -> None:
        self._kinds: dict[str, OutageLog] = {}

    def listen(self, events: Events) -> None:
        """Subscribe to all that is logged."""
        events.subscribe(Refused, self._refused)
        events.subscribe(Failed, self._failed)
        events.subscribe(Retried, self._retried)
        events.subscribe(Left, self._left)

    def _refused(self, event: Refused) -> None:
        self._write(f"answered {event.error.status} {event.error.slug}", event, event.error)

    def _failed(self, event: Failed) -> None:
        if not isinstance(event.error, GatewayError):
            return  # the server logs it, with its traceback
        what = "broke off a response:" if event.is_broken_off else f"answered {event.error.status}"
        self._write(f"{what} {event.error.slug}", event, event.error)

    def _retried(self, event: Retried) -> None:
        self._write("a request failed and is sent again, before all others", event, event.error)

    def _left(self, event: Left) -> None:
        logger.debug("the client left before its response ended: %s", _named(event))

    def _write(self, kind: str, event: Refused | Failed | Retried, error: GatewayError) -> None:
        log = self._kinds.get(kind)
        if log is None:
            log = self._kinds[kind] = OutageLog(kind, logger)
        log.failure(f"{_named(event)}: {error.detail}")


def _named(event: Refused | Failed | Retried | Left) -> str:
    scope = event.scope
    return f"{scope['method']} {scope['path']!a}, request {event.record.request_id}"
