"""TLS towards the target, of which what has arrived can be read past the event loop.

When a write fails, both event loops drop what has arrived over TLS and was not read yet, with an answer in it.
"""

import functools
import ssl
from typing import Any, cast

_PIECE_BYTES = 64 * 1024


class ReadableTls(ssl.SSLObject):
    """One connection's TLS; it knows where the event loop puts what has arrived."""

    incoming: ssl.MemoryBIO

    def decrypt(self, arrived: bytes) -> bytes:
        """Return what these bytes from the socket mean; they follow on what the event loop has read."""
        self.incoming.write(arrived)
        pieces = []
        try:
            while piece := self.read(_PIECE_BYTES):
                pieces.append(piece)
        except ssl.SSLError:  # nothing more is there, or it is no TLS
            pass
        return b"".join(pieces)


class ReadableContext(ssl.SSLContext):
    """What makes them for the event loop."""

    sslobject_class = ReadableTls

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> ReadableTls:
        """Return a connection's TLS, which reads from `incoming` and writes to `outgoing`."""
        made = cast(ReadableTls, super().wrap_bio(incoming, outgoing, *args, **named))
        made.incoming = incoming
        return made


@functools.cache
def readable_context() -> ReadableContext:
    """Return the context for all targets: it trusts whom the system trusts, and checks names, as Python's default."""
    default = ssl.create_default_context()
    context = ReadableContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = default.verify_flags
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
