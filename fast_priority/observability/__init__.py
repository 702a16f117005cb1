"""What shows the outcome of requests. Everything here listens to `events`; gateway and workers do not know it.

- `request_log`: the lines of the log about requests that were not answered by the target.
"""

from fast_priority.observability.request_log import RequestLog

__all__ = ["RequestLog"]
