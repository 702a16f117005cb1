"""TLS to the target, where bytes that have arrived can be read without the event loop.

When a write fails, both event loops drop what has arrived over TLS and was not read yet, even if it is a response.
"""

import functools
import ssl
from typing import Any, cast

_PIECE_BYTES = 64 * 1024


class ReadableTls(ssl.SSLObject):
    """The TLS of one connection. It knows where the event loop puts what has arrived."""

    incoming: ssl.MemoryBIO

    def decrypt(self, arrived: bytes) -> bytes:
        """Return these bytes from the socket, decrypted; they follow what the event loop has read."""
        self.incoming.write(arrived)
        pieces = []
        try:
            while piece := self.read(_PIECE_BYTES):
                pieces.append(piece)
        except ssl.SSLError:  # nothing more is there, or it is not TLS
            pass
        return b"".join(pieces)


class ReadableContext(ssl.SSLContext):
    """Makes a `ReadableTls` for each connection of the event loop."""

    sslobject_class = ReadableTls

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> ReadableTls:
        """Return a connection's TLS, which reads from `incoming` and writes to `outgoing`."""
        made = cast(ReadableTls, super().wrap_bio(incoming, outgoing, *args, **named))
        made.incoming = incoming
        return made


@functools.cache
def readable_context() -> ReadableContext:
    """Return the context for all targets. Like Python's default, it trusts the system's roots and checks names."""
    default = ssl.create_default_context()
    context = ReadableContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = default.verify_flags
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
