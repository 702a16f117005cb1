"""uvicorn, configured for the mock target."""

import socket

import uvicorn

from mock_target.app import create_app
from mock_target.server.http_protocol import MockProtocol
from mock_target.settings import MockSettings

# Long enough for a response that is being sent; requests that wait for their latency are dropped.
SHUTDOWN_SECONDS = 2
# Longer than client pools keep an idle connection: if the mock closed one first, requests would fail.
KEEP_ALIVE_SECONDS = 75
MAX_WEBSOCKET_MESSAGE_BYTES = 16 * 1024 * 1024


def run_mock(started_with: MockSettings, host: str, port: int) -> None:
    """Run a mock target until a signal stops it. Raises OSError if it cannot listen there."""
    # uvicorn would say so after "startup complete", and end with an error number.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()
    uvicorn.run(
        create_app(started_with),
        host=host,
        port=port,
        http=MockProtocol,
        ws="wsproto",
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
