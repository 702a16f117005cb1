"""Fast Priority: a priority-queuing gateway for an API that can only do so much at once.

The nouns:

- **Request / Reply**: what the client sent, and what comes back (`message`).
- **Priority**, **Rules**: high or low, and how a path decides it (`priority`).
- **Target**: the API behind the gateway (`target`).
- **Broker**: the rq queues in Redis, with everything that travels through them (`broker`).
- **Gateway**: takes requests from clients and waits for their answers (`gateway`).
- **Worker**: takes requests off the queues and forwards them (`worker`, `serving`).
- **Slot**: the right to have one request in flight at the target; slots = worker processes x concurrency.
- **Lease**: a worker's renewed claim on a request that it has started.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fast_priority.app import create_app
    from fast_priority.scheduling.priority import Priority
    from fast_priority.settings.model import Settings

__all__ = ["Priority", "Settings", "create_app"]

_HOMES = {
    "create_app": "fast_priority.app",
    "Priority": "fast_priority.scheduling.priority",
    "Settings": "fast_priority.settings.model",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a stock rq worker imports this package anew for every job, and needs no web framework.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
