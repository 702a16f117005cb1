"""TLS to the target: the one place that makes its context. Bytes that have arrived can be read without the event loop.

When a write fails, both event loops drop what has arrived over TLS and was not read yet, even if it is a response.
"""

import functools
import ssl
from typing import Any, cast

from fast_priority.settings import TlsFiles
from fast_priority.target.tls_material import present_files, trust_file

_PIECE_BYTES = 64 * 1024


class ReadableTls(ssl.SSLObject):
    """The TLS of one connection. It knows where the event loop puts what has arrived."""

    incoming: ssl.MemoryBIO
    alert: ssl.SSLError | None = None
    """What `decrypt` has found in place of more bytes: the target has refused the connection, or sent no TLS."""

    def decrypt(self, arrived: bytes) -> bytes:
        """Return these bytes from the socket, decrypted; they follow what the event loop has read."""
        self.incoming.write(arrived)
        pieces = []
        try:
            while piece := self.read(_PIECE_BYTES):
                pieces.append(piece)
        except ssl.SSLWantReadError:  # nothing more is there
            pass
        except ssl.SSLError as error:
            self.alert = error
        return b"".join(pieces)


class ReadableContext(ssl.SSLContext):
    """Makes a `ReadableTls` for each connection of the event loop."""

    sslobject_class = ReadableTls

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **named: Any) -> ReadableTls:
        """Return a connection's TLS, which reads from `incoming` and writes to `outgoing`."""
        made = cast(ReadableTls, super().wrap_bio(incoming, outgoing, *args, **named))
        made.incoming = incoming
        return made


@functools.lru_cache(maxsize=8)
def tls_context(files: TlsFiles) -> ReadableContext:
    """Return the context for all https:// targets of a process with these files.

    Like Python's default, it checks certificates and names, and takes TLS 1.2 or newer. Without a CA file it trusts the
    system's. The files are read once. Raises ConfigurationError, which names the variable and the remedy.
    """
    default = ssl.create_default_context()
    context = ReadableContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = default.verify_flags
    if files.ca is None:
        context.load_default_certs()
    else:
        trust_file(context, files.ca)
    if files.cert is not None and files.key is not None:
        present_files(context, files.cert, files.key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def check_tls_files(files: TlsFiles) -> None:
    """Raise ConfigurationError, which names the variable and the remedy, if TLS cannot be made with these files."""
    if files != TlsFiles():
        tls_context(files)
