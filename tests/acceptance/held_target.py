"""A target whose answers are sent by the test, at the moment that the test chooses."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.harness import wait_until

PATIENCE_SECONDS = 30
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class HeldTarget:
    """Accepts connections and reads the head of one request on each; the test does the rest."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heads: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self._accepted: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [head.split(b" ")[1].decode() for head in self.heads]

    def until_asked(self, count: int) -> None:
        """Return when this many requests have arrived in total."""
        wait_until(f"the target has {count} requests", lambda: len(self.heads) >= count, PATIENCE_SECONDS)
        assert len(self.heads) == count

    def answer(self, number: int, octets: bytes) -> None:
        """Send these bytes as the answer, or a part of it, to the request with this number."""
        self.connections[number].sendall(octets)

    def is_closed(self, number: int) -> bool:
        """Wait until the connection of this request has ended; return False if it does not end in time."""
        try:
            return not self.connections[number].recv(1)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._accepted:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._accepted.append(connection)
            connection.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        head = b""
        try:
            while not head.endswith(b"\r\n\r\n"):
                piece = connection.recv(1)
                if not piece:
                    return
                head += piece
        except OSError:
            return
        with self._lock:
            self.connections.append(connection)
            self.heads.append(head)


@contextmanager
def held_target() -> Iterator[HeldTarget]:
    """Yield one, and close it."""
    target = HeldTarget()
    try:
        yield target
    finally:
        target.close()
