"""What this machine asks for a switch between processes, and for a round trip to Redis: our ratios depend on both."""

import multiprocessing
import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import median

_HANDOVERS = 2_000
_ROUND_TRIPS = 2_000
_SAMPLES = 9
_PING, _PONG = b"PING\r\n", b"+PONG\r\n"


@contextmanager
def bound_to(cores: Collection[int]) -> Iterator[None]:
    """Run this process, and all that it starts during the block, on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def switch_microseconds(cores: Collection[int]) -> float:
    """Return the time from one process to another that waits for it, with a byte in a pipe, on these cores.

    With one core, the first process has to leave it; with two, the second one sleeps on its own. The median of nine
    samples.
    """
    own_cores = sorted(cores)
    ours, theirs = multiprocessing.Pipe()
    with bound_to(cores):
        other = multiprocessing.get_context("fork").Process(target=_echo, args=(theirs, own_cores[-1]), daemon=True)
        other.start()
    with bound_to(own_cores[:1]):
        samples = [_handovers(ours) for _ in range(_SAMPLES)]
    ours.send_bytes(b"")
    other.join()
    return median(samples)


def _handovers(connection: Connection) -> float:
    began = time.perf_counter()
    for _ in range(_HANDOVERS):
        connection.send_bytes(b"x")
        connection.recv_bytes()
    return (time.perf_counter() - began) / (2 * _HANDOVERS) * 1e6


def _echo(connection: Connection, core: int) -> None:
    os.sched_setaffinity(0, [core])
    while data := connection.recv_bytes():
        connection.send_bytes(data)


def redis_round_trip_microseconds(redis_socket: str) -> float:
    """Return the time of one PING, on the cores of this process. The median of nine samples."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(redis_socket)
        return median([_pings(connection) for _ in range(_SAMPLES)])


def _pings(connection: socket.socket) -> float:
    began = time.perf_counter()
    for _ in range(_ROUND_TRIPS):
        connection.sendall(_PING)
        received = b""
        while len(received) < len(_PONG):
            received += connection.recv(len(_PONG))
    return (time.perf_counter() - began) / _ROUND_TRIPS * 1e6
