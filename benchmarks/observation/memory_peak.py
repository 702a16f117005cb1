"""How much more resident memory processes and Redis have at their peak than before."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

from redis import Redis, RedisError

from benchmarks.observation.process_usage import own_resident_bytes, process_tree

_INTERVAL_SECONDS = 0.05
REDIS_DATA = "Redis, used memory"
REDIS = "Redis"


class MemoryPeak:
    """Reads memory every 50 ms during its block: of processes with their descendants, and of Redis."""

    def __init__(self, processes: Mapping[str, int], redis_socket: str) -> None:
        self._redis = Redis(unix_socket_path=redis_socket)
        redis_pid = self._redis.info("server")["process_id"]
        self._pids = {name: process_tree(pid) for name, pid in {**processes, REDIS: redis_pid}.items()}
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_ended, daemon=True)

    def __enter__(self) -> "MemoryPeak":
        self._before = self._read()
        self._peak = dict(self._before)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(RedisError):
            self._raise_peak(self._read())
        self._redis.close()

    @property
    def growth_bytes(self) -> dict[str, int]:
        """Return the peak minus the memory before the block, by name of the process."""
        return {name: self._peak[name] - self._before[name] for name in self._before}

    def _sample_until_ended(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self._raise_peak(self._read())

    def _raise_peak(self, current: dict[str, int]) -> None:
        self._peak = {name: max(peak, current[name]) for name, peak in self._peak.items()}

    def _read(self) -> dict[str, int]:
        data = self._redis.info("memory")["used_memory"]
        resident = {name: sum(map(own_resident_bytes, pids)) for name, pids in self._pids.items()}
        return resident | {REDIS_DATA: int(data)}
