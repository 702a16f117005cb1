"""Load by wrk: closed loops over so many connections, each asking again once it is answered."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fast_priority.errors import ConfigurationError
from fast_priority.stack import stop

_GRACE_SECONDS = 60.0  # over its time: then it hangs
_PATIENCE_SECONDS = 120  # an answer that takes longer counts as an error
_MOST_CONNECTIONS_A_THREAD = 5000
# Each connection's next request is the next of the list, whoever asks: so all paths are asked for equally often.
_SCRIPT = """
local paths = { %s }
local requests, last = {}, 0
function init()
  for place, path in ipairs(paths) do requests[place] = wrk.format('GET', path) end
end
if #paths > 1 then
  function request()
    last = last %% #requests + 1
    return requests[last]
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %%d, "microseconds": %%d, "errors": %%d, "p50": %%d, "p99": %%d}\\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one run of wrk saw. With errors, its other figures do not count."""

    requests: int
    seconds: float
    errors: int
    median_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds

    def raw(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self) | {"per_second": self.per_second}


class Load:
    """A wrk that runs."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: int) -> None:
        self._process = process
        self._ends = time.monotonic() + seconds + _GRACE_SECONDS
        self.pid = process.pid

    def result(self) -> Loaded:
        """Wait until it has ended, and give what it saw. Raises ConfigurationError if it failed."""
        try:
            said, _ = self._process.communicate(timeout=self._ends - time.monotonic())
        except subprocess.TimeoutExpired:
            raise ConfigurationError("wrk did not end") from None
        return read_result(said.decode(errors="replace"))


def read_result(said: str) -> Loaded:
    """Read what wrk printed. Raises ConfigurationError if there is no result in it."""
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if not lines:
        raise ConfigurationError(f"wrk failed: {said.strip() or 'it said nothing'}")
    seen = json.loads(lines[-1])
    return Loaded(
        requests=seen["requests"],
        seconds=seen["microseconds"] / 1e6,
        errors=seen["errors"],
        median_ms=seen["p50"] / 1000,
        p99_ms=seen["p99"] / 1000,
    )


@contextmanager
def loading(url: str, paths: Sequence[str], connections: int, seconds: int) -> Iterator[Load]:
    """Put load on for so long, beside what the block does; it ends with the block at the latest."""
    threads = -(-connections // _MOST_CONNECTIONS_A_THREAD)
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        script = Path(folder) / "load.lua"
        script.write_text(_SCRIPT % ", ".join(f"'{path}'" for path in paths))
        command = [
            "wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_PATIENCE_SECONDS}s",
            "-s", str(script), url + paths[0],
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield Load(process, seconds)
        finally:
            stop(process)


def load(url: str, paths: Sequence[str], connections: int, seconds: int) -> Loaded:
    """Put load on for so long, and give what was seen."""
    with loading(url, paths, connections, seconds) as running:
        return running.result()
