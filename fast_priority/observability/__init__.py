"""What shows the outcome of requests. It listens to `events`, or to other logs; gateway and workers do not know it.

- `access_log`: one line for each request that has ended. `access_line`: what it says. `line_writer`: writes it.
- `foreign_access_log`: the access log of a server that is not ours, without queries.
- `gateway_state`: the gauges: what a gateway sees of the queues and of itself.
- `metric_table`: every metric, its labels and its meaning. `metrics`: counts what happens to requests.
- `request_log`: the lines of the log about requests that were not answered by the target.
"""

from fast_priority.observability.access_log import AccessLog
from fast_priority.observability.foreign_access_log import hide_queries
from fast_priority.observability.gateway_state import GatewayState
from fast_priority.observability.metrics import SHARED_FOLDER, Metrics
from fast_priority.observability.request_log import RequestLog

__all__ = ["SHARED_FOLDER", "AccessLog", "GatewayState", "Metrics", "RequestLog", "hide_queries"]
