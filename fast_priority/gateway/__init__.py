"""Between clients and queues: one request, from its head to the last byte of its response.

- `client_request`: one request, as its head has been read. `quick_request`: one that needs no task.
- `policy`: rules and keys, made of their files; `policy_in_force`: follows these files.
- `deciding`: asks rules and keys about a request; `held_bodies`: the memory for bodies that are read for that.
- `target_call`: one attempt by the gateway itself.
- `assembly`: puts its parts together.
- `application`: the FastAPI application: who answers a request.
- `pages`: the gateway's own pages. `operator_access`: who may read those for operators.
  `health`: what the health pages return.
- `embedding`: the gateway behind middleware, beside routes of others, and below a prefix.
- `startup`: what runs once for each event loop.
- `handler`: what happens to one request; `queues` is what it needs of the broker. `conclusion`: how it ends.
- `request_head`, `request_body`, `response`, `buffered_body`: the two messages of a request.
- `target_document`: the second address of the target's OpenAPI document.
- `retry`: decides about a second attempt. `disconnect`: ends the work for a client that has left.
- `worker_times`: how long a worker has had its slot, as it says.
- `websockets`: handshakes at the target, and the tunnels that follow them.
"""

from fast_priority.gateway.application import GatewayApp
from fast_priority.gateway.assembly import build_app

__all__ = ["GatewayApp", "build_app"]
