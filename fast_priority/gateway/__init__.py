"""Between clients and queues: one request, from its head to the last byte of its response.

- `application`: the FastAPI application: who answers a request.
- `pages`: the gateway's own pages. `health`: what the health pages return.
- `embedding`: the gateway behind middleware, beside routes of others, and below a prefix.
- `startup`: what runs once for each event loop.
- `handler`: what happens to one request; `queues` is what it needs of the broker.
- `request_head`, `request_body`, `response`, `buffered_body`: the two messages of a request.
- `retry`: decides about a second attempt. `disconnect`: ends the work for a client that has left.
- `websockets`: handshakes at the target, and the tunnels that follow them.
"""

from fast_priority.gateway.application import GatewayApp, Service
from fast_priority.gateway.handler import Gateway
from fast_priority.gateway.health import HealthChecks
from fast_priority.gateway.pages import documentation_options
from fast_priority.gateway.websockets import WebSocketProxy

__all__ = ["Gateway", "GatewayApp", "HealthChecks", "Service", "WebSocketProxy", "documentation_options"]
