"""Between a client and the queues: one request, from its head to the last byte of its response.

- `application`: the FastAPI application, with what users add to it; `embedding` is what that takes, `startup` when.
- `handler`: what happens to one request. `request_body` and `response` are its two ends, `websockets` a third way.
- `health`: what the health endpoints return.
"""

from fast_priority.gateway.application import GatewayApp, Service
from fast_priority.gateway.handler import Gateway
from fast_priority.gateway.health import Health, HealthChecks, Liveness, Readiness
from fast_priority.gateway.websockets import WebSocketProxy

__all__ = ["Gateway", "GatewayApp", "Health", "HealthChecks", "Liveness", "Readiness", "Service", "WebSocketProxy"]
