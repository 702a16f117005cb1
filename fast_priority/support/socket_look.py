"""A look at a socket past its event loop: what has arrived and is not read yet.

The loop finds out only when it polls the next time. Until then a connection that the peer has closed looks open.
"""

import os
import select
import socket


class SocketLook:
    """Looks at one socket, and neither closes nor changes it.

    To be used only while the socket is open: its number may belong to another socket later.
    """

    def __init__(self, file_number: int) -> None:
        self._file_number = file_number
        self._poll = select.poll()
        self._poll.register(file_number, select.POLLIN)  # errors and hang-ups are reported as well

    def is_quiet(self) -> bool:
        """Return whether nothing has arrived: no byte, no end and no error. It takes one system call."""
        return not self._poll.poll(0)

    def has_ended(self) -> bool:
        """Return whether the other side has closed or reset the connection, and no byte is left to be read."""
        if self.is_quiet():
            return False
        looked_at = socket.socket(fileno=self._file_number)
        try:
            return not looked_at.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            looked_at.detach()

    def is_lost(self) -> bool:
        """Return whether the connection was reset; bytes that came before the reset may still be there."""
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in self._poll.poll(0))

    def read_rest(self, most_bytes: int) -> bytes:
        """Return what has arrived and has not been read, at most so many bytes.

        Linux keeps the bytes that came before a reset until they are read, also after a write has failed.
        """
        pieces, left = [], most_bytes
        while left > 0:
            try:
                piece = os.read(self._file_number, left)
            except OSError:  # there is nothing more, or a reset
                break
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
