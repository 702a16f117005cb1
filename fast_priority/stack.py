"""The parts of the whole, as processes that are started and stopped together.

`standalone`, the demo, the acceptance tests and the benchmarks all stand on this.
"""

import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from fast_priority.errors import ConfigurationError
from fast_priority.settings import PREFIX, Settings

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack: its name, its arguments to Python, and what its environment has more."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@contextmanager
def running(part: Part, output: IO[Any] | int | None = None, stop_seconds: float = _STOP_SECONDS) -> Iterator[
    "subprocess.Popen[bytes]"
]:  # fmt: skip
    """Run a part while the block lasts; then ask it to end, and after `stop_seconds` make it.

    `output` is where it writes; None: where this process does.
    """
    # A session of its own: Ctrl-C reaches this process only, which then stops the parts in their order.
    process = subprocess.Popen(  # noqa: S603 - this interpreter, on this package
        [sys.executable, *part.arguments],
        env={**os.environ, **part.environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process, stop_seconds)


def stop(process: "subprocess.Popen[bytes]", within_seconds: float = _STOP_SECONDS) -> None:
    """End a part in an orderly way, or after `within_seconds` with all that it started."""
    try:
        if process.poll() is None:
            process.terminate()
        process.wait(within_seconds)
    except subprocess.TimeoutExpired:
        logger.warning("process %d did not end within %g s and is killed", process.pid, within_seconds)
    finally:
        # Also when somebody who does not want to wait any longer interrupts the wait.
        _kill_group(process.pid)
        process.wait()


def wait_until(what: str, condition: Callable[[], bool], within_seconds: float = 20.0) -> None:
    """Return once the condition holds. Raises TimeoutError, saying what was waited for."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within_seconds:g} s until {what}")
        time.sleep(_LOOK_SECONDS)


def wait_until_answers(process: "subprocess.Popen[bytes]", name: str, url: str, within_seconds: float = 20.0) -> None:
    """Return once a part answers 2xx at `url`. Raises ConfigurationError if it ends or stays silent instead."""

    def settled() -> bool:
        return process.poll() is not None or answers(url)

    try:
        wait_until(f"{name} answers at {url}", settled, within_seconds)
    except TimeoutError as error:
        raise ConfigurationError(f"the {name} did not start: {error}") from None
    if process.poll() is not None:
        raise ConfigurationError(f"the {name} ended as it started, with exit status {process.returncode}")


def answers(url: str) -> bool:
    """Tell whether a GET of this loopback URL gives a 2xx."""
    # No proxy variable may lead a look at this machine elsewhere.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            status: int = response.status
            return 200 <= status < 300
    except (OSError, urllib.error.URLError):
        return False


def unset_settings() -> dict[str, str]:
    """Give the environment in which no setting is set, whatever this process's environment or a `.env` file say."""
    # Empty means unset.
    return {f"{PREFIX}{name.upper()}": "" for name in Settings.model_fields} | {f"{PREFIX}WORKER": ""}


def gateway_part(target_url: str, host: str, port: int, redis_port: int, **environment: str) -> Part:
    """The gateway, on loopback's Redis unless `environment` says otherwise."""
    return Part(
        "gateway",
        ("-m", "fast_priority", "gateway", "--target", target_url, "--host", host, "--port", str(port)),
        {"FAST_PRIORITY_REDIS_HOST": "127.0.0.1", "FAST_PRIORITY_REDIS_PORT": str(redis_port), **environment},
    )


def worker_part(processes: int, concurrency: int, redis_port: int, **environment: str) -> Part:
    """Workers, on loopback's Redis unless `environment` says otherwise."""
    return Part(
        "workers",
        ("-m", "fast_priority", "worker", "--workers", str(processes), "--concurrency", str(concurrency)),
        {"FAST_PRIORITY_REDIS_HOST": "127.0.0.1", "FAST_PRIORITY_REDIS_PORT": str(redis_port), **environment},
    )


def mock_target_part(port: int, latency: str) -> Part:
    """The mock target, on loopback."""
    return Part("mock target", ("-m", "mock_target", "--port", str(port), "--latency", latency), {})


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
