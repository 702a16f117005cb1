"""Targets with TLS, certificates for them and for their clients, and the files that settings name."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from fast_priority.settings import TlsFiles
from tests.harness import free_port
from tests.integration.target.target_rig import OK, PATIENCE_SECONDS


class Authority:
    """A certificate authority whose files are in a directory of the test."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self._name = name
        self.ca = str(self._write("ca", self._ca.cert_pem.bytes()))

    def server_context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Return the context of a server whose certificate has these names."""
        until = datetime.now(UTC) - timedelta(days=1) if expired else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names, not_after=until).configure_cert(context)
        return context

    def demand(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Let a server accept only clients with a certificate of this authority."""
        self._ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client_files(self) -> tuple[str, str]:
        """Return the files of a new client certificate and of its key."""
        issued = self._ca.issue_cert("gateway.example")
        cert = self._write("client-cert", b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return str(cert), str(self._write("client-key", issued.private_key_pem.bytes()))

    def trusting(self) -> TlsFiles:
        """Return the files of a client without a certificate."""
        return TlsFiles(self.ca)

    def presenting(self) -> TlsFiles:
        """Return the files of a client with a certificate."""
        return TlsFiles(self.ca, *self.client_files())

    def encrypted(self, key: str, *, is_traditional: bool) -> str:
        """Return the file of a key that says that it is encrypted, in the form of PKCS #8 or in OpenSSL's own."""
        _, *body, _ = Path(key).read_text().splitlines()
        if is_traditional:
            kind, body = "EC PRIVATE KEY", ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,00", "", *body]
        else:
            kind = "ENCRYPTED PRIVATE KEY"
        lines = [f"-----BEGIN {kind}-----", *body, f"-----END {kind}-----", ""]
        return str(self._write("encrypted-key", "\n".join(lines).encode()))

    def _write(self, what: str, content: bytes) -> Path:
        path = self._directory / f"{self._name}-{what}-{free_port()}.pem"
        path.write_bytes(content)
        return path


@contextmanager
def tls_target(context: ssl.SSLContext | None, answer: bytes = OK) -> Iterator[tuple[int, list[bytes]]]:
    """Run a target on 127.0.0.1 that answers each request; without a context, in plain HTTP.

    Yield its port, and what it has read of requests.
    """
    read: list[bytes] = []

    def one(accepted: socket.socket) -> None:
        accepted.settimeout(PATIENCE_SECONDS)
        with suppress(OSError), accepted:
            connection = context.wrap_socket(accepted, server_side=True) if context else accepted
            with connection:
                while piece := connection.recv(65536):
                    read.append(piece)
                    connection.sendall(answer)

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(accepted,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], read
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_SECONDS)
