"""Fast Priority: a priority-queuing gateway for an API that can do only a limited amount of work at the same time.

The nouns, and where they are:

- **Target**: the API behind the gateway (`target`).
- **Priority**: a level by name: high or low, or one more that the settings name. The **Rules** return high or low for
  the path of a request (`scheduling`).
- **Gateway**: receives requests from clients (`server`), queues them, and sends the responses (`gateway`).
- **Queue**: an rq queue in Redis for each priority (`broker`).
- **Worker**: claims requests from the queues, high first, and forwards them to the target (`worker`, `slots`).
- **Slot**: one request in flight at the target; all worker processes and all gateways may have some.
- **Lease**: a claim that a worker renews while it has the request.
- **Frame**: a part of a request or response on its way through Redis (`protocol`).
- **Event**: what happens to a request, for metrics and logs (`events`, `observability`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fast_priority.app import create_app
    from fast_priority.scheduling import Priority
    from fast_priority.settings import Settings

__all__ = ["Priority", "Settings", "create_app"]

_HOMES = {
    "create_app": "fast_priority.app",
    "Priority": "fast_priority.scheduling",
    "Settings": "fast_priority.settings",
}


def __getattr__(name: str) -> Any:
    # Loaded when it is used: a stock rq worker imports this package again for every job, and needs no web framework.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
