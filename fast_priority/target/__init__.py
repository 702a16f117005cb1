"""HTTP to the target: connections, requests on them, their responses, and WebSocket handshakes.

- `target`: Target: where requests go; TargetRegistry: the targets of one worker.
- `base_url`: the path of the base URL, above which no request is sent.
- `exchange`: one request and its response.
- `response`: the response as it arrives. `quick_timeouts`: how long its rest is waited for without a task.
- `upload`: a body that comes in pieces.
- `probe`: a request of the gateway's own, for health.
- `websocket`: a handshake, and the stream after a 101.
- `pool`: new and idle connections.
- `look_ups`: look-ups of host names, one at a time for each name.
- `connection`: one connection, on aiohttp's parser; the inactivity timeout.
- `tls`: the context of TLS, of which the rest can be read after a failed write. `tls_material`: its certificates and
  keys. `tls_problems`: why a handshake failed, in words.
- `failures`: aiohttp's errors as ours.
"""

from fast_priority.target.exchange import Body, Exchange
from fast_priority.target.probe import probe_problem
from fast_priority.target.quick_timeouts import QuickTimeouts
from fast_priority.target.response import Response
from fast_priority.target.target import Target, TargetRegistry
from fast_priority.target.tls import check_tls_files
from fast_priority.target.websocket import Accepted, Declined, ask_for_websocket

__all__ = [
    "Accepted",
    "Body",
    "Declined",
    "Exchange",
    "QuickTimeouts",
    "Response",
    "Target",
    "TargetRegistry",
    "ask_for_websocket",
    "check_tls_files",
    "probe_problem",
]
