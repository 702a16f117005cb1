"""How much resident memory processes, and Redis, have more at their worst than before."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil
from redis import Redis, RedisError

_LOOK_SECONDS = 0.05
REDIS_DATA = "Redis, used memory"
REDIS = "Redis"


class Watch:
    """Looks at memory every 50 ms while its block lasts: of processes, each with all that it started, and of Redis."""

    def __init__(self, processes: Mapping[str, int], redis_socket: str) -> None:
        self._redis = Redis(unix_socket_path=redis_socket)
        of_redis = self._redis.info("server")["process_id"]
        self._pids = {name: _family(pid) for name, pid in {**processes, REDIS: of_redis}.items()}
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)

    def __enter__(self) -> "Watch":
        self._before = self._look()
        self._peak = dict(self._before)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(RedisError):
            self._note(self._look())
        self._redis.close()

    @property
    def growth_bytes(self) -> dict[str, int]:
        """The peak less what there was before, for each."""
        return {name: self._peak[name] - self._before[name] for name in self._before}

    def _keep_looking(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._note(self._look())

    def _note(self, seen: dict[str, int]) -> None:
        self._peak = {name: max(peak, seen[name]) for name, peak in self._peak.items()}

    def _look(self) -> dict[str, int]:
        data = self._redis.info("memory")["used_memory"]
        return {name: sum(map(_resident_bytes, pids)) for name, pids in self._pids.items()} | {REDIS_DATA: int(data)}


def _family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _resident_bytes(pid: int) -> int:
    with suppress(OSError):  # it has ended
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
