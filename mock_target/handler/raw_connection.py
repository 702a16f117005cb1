"""Access below ASGI: the raw head of a request, and its connection.

The protocol class in `mock_target.server` passes a `RawConnection` to the endpoint as an ASGI extension. Other servers
do not; then faults that need it are not available.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass

from mock_target.handler.asgi_types import Scope
from mock_target.responses import Fields

EXTENSION = "mock_target"

# Linger for 0 seconds: close() then drops unsent data and sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)
FLUSH_STEPS = 200
FLUSH_STEP_SECONDS = 0.005


@dataclass(slots=True)
class RawConnection:
    """The connection of one request, and its head with the bytes, the case and the order received."""

    transport: asyncio.Transport
    request_line: bytes
    raw_fields: Fields

    def write(self, content: bytes) -> None:
        """Write bytes to the connection, whether they are HTTP or not."""
        self.transport.write(content)

    def close(self) -> None:
        """Close the connection after all written data (FIN)."""
        self.transport.close()

    def reset(self) -> None:
        """Reset the connection (RST); unsent data is lost."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    async def flush(self) -> None:
        """Wait until the kernel has all written data, for a second at most."""
        for _ in range(FLUSH_STEPS):
            if not self.transport.get_write_buffer_size():
                return
            await asyncio.sleep(FLUSH_STEP_SECONDS)


def find_raw_connection(scope: Scope) -> RawConnection | None:
    """Return the connection that the server put into the scope; None under another server."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(EXTENSION)
