"""Ports for servers that are started on this machine."""

import contextlib
import itertools
import os
import socket

# Below what Linux, macOS and Windows give to outgoing connections.
_PORTS = range(15_000, 32_000)
_APART = 7919  # ports between processes that were started one after the other
_turns = itertools.count()


def free_port() -> int:
    """Give a loopback port that nothing listens on at the moment, and that this process has not been given lately.

    Other processes that ask at the same time begin elsewhere, and no outgoing connection is given one of these.
    """
    while True:
        port = _PORTS[(os.getpid() * _APART + next(_turns)) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
