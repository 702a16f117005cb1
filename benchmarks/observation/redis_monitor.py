"""Everything that Redis executes during a measurement, by its MONITOR command."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

_INACTIVITY_SECONDS = 0.3
_MOST_SECONDS = 10
_READ_BYTES = 1024 * 1024


@contextmanager
def monitored_commands(redis_socket: str) -> Iterator[list[str]]:
    """Let Redis report its commands during the block; afterwards the list has the report as one text.

    The report is read after the block, so only Redis has additional work during it.
    """
    report: list[str] = []
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(redis_socket)
        connection.sendall(b"MONITOR\r\n")
        connection.recv(5)
        yield report
        connection.settimeout(_INACTIVITY_SECONDS)
        deadline, pieces = time.monotonic() + _MOST_SECONDS, []
        try:
            while time.monotonic() < deadline and (data := connection.recv(_READ_BYTES)):
                pieces.append(data)
        except TimeoutError:
            pass
        report.append(b"".join(pieces).decode(errors="replace"))
