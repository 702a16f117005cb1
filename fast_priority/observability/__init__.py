"""What shows the outcome of requests. It listens to `events`, or to other logs; gateway and workers do not know it.

- `foreign_access_log`: the access log of a server that is not ours, without queries.
- `request_log`: the lines of the log about requests that were not answered by the target.
"""

from fast_priority.observability.foreign_access_log import hide_queries
from fast_priority.observability.request_log import RequestLog

__all__ = ["RequestLog", "hide_queries"]
