"""Ports for servers on this machine."""

import contextlib
import itertools
import os
import socket

# Below the ports that Linux, macOS and Windows use for outgoing connections.
_PORTS = range(15_000, 32_000)
_APART = 7919  # distance between the first ports of processes that were started one after the other
_turns = itertools.count()


def free_port() -> int:
    """Return a loopback port that no process listens on now, and that this process has not used lately.

    Other processes that look at the same time begin at another port. No outgoing connection uses one of these ports.
    """
    while True:
        port = _PORTS[(os.getpid() * _APART + next(_turns)) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
