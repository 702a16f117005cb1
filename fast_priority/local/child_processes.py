"""Gateway, workers and mock target as child processes: started, waited for, and stopped.

`standalone`, the demo, the acceptance tests and the benchmarks use it.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, TypeAlias

from fast_priority.errors import ConfigurationError
from fast_priority.settings import DOTENV_DISABLED, PREFIX, Settings
from fast_priority.support.parent_death import ending_with_this_process

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_STOP_SECONDS = 10.0
_LAST_LINES = 15
_LAST_BYTES = 64 * 1024
# No proxy variable may send these requests, which are for this machine, elsewhere.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

RedisPlace: TypeAlias = str | int | None
"""Where Redis is: the path of its unix socket, its port on loopback, or None for what the environment says."""


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """A process to start: its name, its arguments to Python, and variables for its environment."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    """The files of this process that it gets, beside the usual three."""


@contextmanager
def running(child: ChildProcess, output: IO[Any] | int | None = None, stop_seconds: float = _STOP_SECONDS) -> Iterator[
    "subprocess.Popen[bytes]"
]:  # fmt: skip
    """Run a process while the block lasts. Then end it with SIGTERM, or after `stop_seconds` with SIGKILL.

    On Linux it also gets SIGTERM if this process is killed, provided that this one has no other threads.
    `output` is the file that it writes to; None: the files of this process.
    """
    with running_together([child], output, stop_seconds) as (process,):
        yield process


@contextmanager
def running_together(
    children: Iterable[ChildProcess], output: IO[Any] | int | None = None, stop_seconds: float = _STOP_SECONDS
) -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Run several processes as `running` does, and end them at the same time."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for child in children:
            processes.append(_started(child, output))  # noqa: PERF401 - those that run are ended if one cannot start
        yield processes
    finally:
        _stop_all(processes, stop_seconds)


def _started(child: ChildProcess, output: IO[Any] | int | None) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches only this process, which then stops the others in their order.
    return subprocess.Popen(  # noqa: S603 - this interpreter, on this package
        [sys.executable, *child.arguments],
        env={**os.environ, **child.environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
        preexec_fn=ending_with_this_process(),
        pass_fds=child.pass_fds,
    )


def stop(process: "subprocess.Popen[bytes]", within_seconds: float = _STOP_SECONDS) -> None:
    """End a process with SIGTERM; after `within_seconds`, kill it and all that it has started."""
    _stop_all([process], within_seconds)


def _stop_all(processes: "Sequence[subprocess.Popen[bytes]]", within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    try:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("process %d did not end within %g s: killed", process.pid, within_seconds)
    finally:
        # Also when a signal interrupts the wait.
        for process in processes:
            _kill_group(process.pid)
            process.wait()


def wait_until(what: str, condition: Callable[[], bool], within_seconds: float = 20.0) -> None:
    """Return once the condition holds. Raises TimeoutError, which says what was waited for."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within_seconds:g} s until {what}")
        time.sleep(_LOOK_SECONDS)


def wait_until_answers(process: "subprocess.Popen[bytes]", name: str, url: str, within_seconds: float = 20.0) -> None:
    """Return once a process answers 2xx at `url`. Raises ConfigurationError if it ends, or does not answer in time."""

    def settled() -> bool:
        return process.poll() is not None or answers(url)

    try:
        wait_until(f"{name} answers at {url}", settled, within_seconds)
    except TimeoutError as error:
        raise ConfigurationError(f"the {name} did not start: {error}") from None
    if process.poll() is not None:
        raise ConfigurationError(f"the {name} ended while it started, with exit status {process.returncode}")


def wait_until_slots(processes: Iterable["subprocess.Popen[bytes]"], gateway_url: str, slots: int) -> None:
    """Return once the gateway reports so many slots. Raises ConfigurationError if it does not, or a process ends.

    `processes` are those that have the slots.
    """
    those_with_slots = list(processes)

    def are_ready() -> bool:
        for process in those_with_slots:
            if process.poll() is not None:
                raise ConfigurationError(
                    f"a gateway or worker ended while it started, with exit status {process.returncode}"
                )
        with _direct.open(f"{gateway_url}/gateway_health", timeout=5) as response:
            return bool(json.load(response)["slots"] == slots)

    try:
        wait_until(f"there are {slots} slots", are_ready)
    except (TimeoutError, OSError) as error:
        raise ConfigurationError(f"those that have the slots did not start: {error}") from None


def last_lines(output: IO[bytes]) -> list[str]:
    """Return the last lines that processes have written to this file, indented to follow an error."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _LAST_BYTES))
    written = output.read().decode(errors="replace").splitlines()
    return [f"  | {line}" for line in written[-_LAST_LINES:]]


def answers(url: str) -> bool:
    """Return whether a GET of this loopback URL returns a 2xx."""
    try:
        with _direct.open(url, timeout=2) as response:
            status: int = response.status
            return 200 <= status < 300
    except (OSError, urllib.error.URLError):
        return False


def isolated(child: ChildProcess, **own: str) -> ChildProcess:
    """Return the process with its own settings and these only: no other variable and no `.env` changes one."""
    # An empty variable counts as not set.
    unset = {f"{PREFIX}{name.upper()}": "" for name in Settings.model_fields} | {f"{PREFIX}WORKER": ""}
    unset |= {DOTENV_DISABLED: "1"}
    return replace(child, environment={**unset, **own, **child.environment})


def gateway_process(target_url: str, host: str, port: int, redis_at: RedisPlace, **environment: str) -> ChildProcess:
    """Return a gateway with this Redis."""
    return ChildProcess(
        "gateway",
        ("-m", "fast_priority", "gateway", "--target", target_url, "--host", host, "--port", str(port)),
        {**_where(redis_at), **environment},
    )


def with_sockets(gateway: ChildProcess, fds: Sequence[int]) -> ChildProcess:
    """Return the same gateway, but it listens on these sockets of this process."""
    option = ("--listen-fds", ",".join(map(str, fds)))
    return replace(gateway, arguments=(*gateway.arguments, *option), pass_fds=tuple(fds))


def worker_process(processes: int, concurrency: int, redis_at: RedisPlace, **environment: str) -> ChildProcess:
    """Return workers with this Redis."""
    return ChildProcess(
        "workers",
        ("-m", "fast_priority", "worker", "--workers", str(processes), "--concurrency", str(concurrency)),
        {**_where(redis_at), **environment},
    )


def mock_target_process(port: int, latency: str) -> ChildProcess:
    """Return a mock target on loopback."""
    return ChildProcess("mock target", ("-m", "mock_target", "--port", str(port), "--latency", latency), {})


def _where(redis_at: RedisPlace) -> dict[str, str]:
    if redis_at is None:
        return {}
    if isinstance(redis_at, str):
        return {f"{PREFIX}REDIS_SOCKET": redis_at}
    return {f"{PREFIX}REDIS_HOST": "127.0.0.1", f"{PREFIX}REDIS_PORT": str(redis_at)}


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
