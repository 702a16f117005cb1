"""A Redis server to inject faults into: killed, frozen, restarted with its data or empty."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import find_redis_server
from tests.chaos.redis_clock import RedisClock, find_server_with_clock_support

_KILLED_SECONDS = 5.0


class RedisServer:
    """One server on loopback, always on the same port; it writes each change to disk before it replies.

    `clock`, if given, is its wall clock.
    """

    def __init__(self, folder: Path, clock: RedisClock | None = None) -> None:
        self.port = free_port()
        self.clock = clock
        self._folder = folder / f"redis-{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Return whether the server runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server with the data on its disk, and return when it replies."""
        self._folder.mkdir(exist_ok=True)
        program = find_server_with_clock_support() if self.clock else find_redis_server()
        command = [
            program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
            "--appendfsync", "always", "--dir", str(self._folder), "--loglevel", "warning",
            "--logfile", str(self._folder / "redis.log"),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            env=os.environ | (self.clock.environment if self.clock else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until("Redis answers", self.answers)

    def kill(self) -> None:
        """Kill the server (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_KILLED_SECONDS)

    def delete_data(self) -> None:
        """Delete the data on disk, so that the server starts empty. Only while it does not run."""
        shutil.rmtree(self._folder)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the server while the block lasts: it neither replies nor refuses (SIGSTOP, SIGCONT)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Return whether the server replies now."""
        with Redis(port=self.port, socket_timeout=1) as client, contextlib.suppress(RedisError, OSError):
            return bool(client.ping())
        return False
