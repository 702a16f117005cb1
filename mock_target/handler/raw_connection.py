"""What lies below ASGI: the raw head of a request, and its connection, on which things can go wrong.

uvicorn's protocol class hands a `Wire` to the endpoint as an ASGI extension (see `mock_target.protocol`). Under another
server there is none; then the faults that need it cannot be had.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass

from mock_target.handler.asgi_types import Scope
from mock_target.responses import Fields

EXTENSION = "mock_target"

# Linger for no time at all: close() then drops what is unsent and sends RST in place of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)
FLUSH_STEPS = 200
FLUSH_STEP_SECONDS = 0.005


@dataclass(slots=True)
class Wire:
    """The connection of one request, and its head in the bytes, case and order received."""

    transport: asyncio.Transport
    request_line: bytes
    raw_fields: Fields

    def write(self, content: bytes) -> None:
        """Put bytes on the connection that no HTTP server would."""
        self.transport.write(content)

    def close(self) -> None:
        """Close the connection after what was sent (FIN)."""
        self.transport.close()

    def reset(self) -> None:
        """Reset the connection (RST); what has not been sent is lost."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    async def flush(self) -> None:
        """Wait until the kernel has all that was written, for a second at most."""
        for _ in range(FLUSH_STEPS):
            if not self.transport.get_write_buffer_size():
                return
            await asyncio.sleep(FLUSH_STEP_SECONDS)


def wire_of(scope: Scope) -> Wire | None:
    """Give the wire that the server put into the scope; None: it is not our server."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(EXTENSION)
