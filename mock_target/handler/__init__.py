"""The ASGI application that answers requests: one `Exchange` for each, or a WebSocket.

- `endpoint`: which requests go to the admin pages instead
- `exchange`, `websocket`: one request, one WebSocket
- `asgi_io`, `asgi_types`: sending and receiving over ASGI
- `raw_connection`, `faults`: below HTTP, and what goes wrong there
"""

from mock_target.handler.endpoint import MockEndpoint
from mock_target.handler.raw_connection import EXTENSION, RawConnection
from mock_target.handler.websocket import WEBSOCKET_PATH

__all__ = ["EXTENSION", "WEBSOCKET_PATH", "MockEndpoint", "RawConnection"]
