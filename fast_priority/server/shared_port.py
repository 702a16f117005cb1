"""One port for several gateway processes: each has sockets of its own, and the kernel divides the clients between them.

The process that starts the others binds all sockets and passes them on. So none of them has to know that it shares its
port. No process of another user can share it (SO_REUSEPORT, see socket(7)).
"""

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from fast_priority.errors import ConfigurationError
from fast_priority.server.listening import bound_sockets, log_warnings
from fast_priority.settings import Settings


@contextmanager
def shared_sockets(settings: Settings, processes: int) -> Iterator[list[list[socket.socket]]]:
    """Yield the sockets of each process, bound to the addresses and the port of the settings; close them at the end.

    Check before that nobody listens there: a process of the same user may share the port, too. Raises
    ConfigurationError if the system does not share ports, or the addresses cannot be used.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigurationError(
            f"--processes {processes} cannot be used: only Linux divides the clients of a port between processes; "
            "leave it out"
        )
    warnings: list[str] = []
    with ExitStack() as opened:
        sockets = [
            [opened.enter_context(one) for one in bound_sockets(settings, warnings, is_shared=True)]
            for _ in range(processes)
        ]
        log_warnings(dict.fromkeys(warnings))
        yield sockets


def are_listening(sockets: Iterable[socket.socket]) -> bool:
    """Return whether a process listens on each of these sockets."""
    return all(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for one in sockets)


def inherited_sockets(numbers: str) -> list[socket.socket]:
    """Return the sockets that this process was started with: file descriptors with commas.

    No process that this one starts gets them. Raises ConfigurationError if one of them is no socket.
    """
    found = []
    for number in numbers.split(","):
        try:
            one = socket.socket(fileno=int(number))
            one.getsockname()
        except (OSError, ValueError):
            raise ConfigurationError(
                f"--listen-fds {numbers} cannot be used: {number!r} is no socket of this process. `standalone` sets "
                "this option; give --port in its place"
            ) from None
        one.set_inheritable(False)
        found.append(one)
    return found
