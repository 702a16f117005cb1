"""Load by wrk: closed loops, each connection sending its next request when it has the last response."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.support import running_program
from fast_priority.errors import ConfigurationError

_GRACE_SECONDS = 60.0  # longer than its time: then it hangs
_TIMEOUT_SECONDS = 120  # a response that takes longer counts as an error
_CONNECTIONS_PER_THREAD = 5000
# All connections take their next path from one list in turn, so each path is requested equally often.
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
class LoadResult:
    """Results of one run of wrk. If there were errors, the other values do not count."""

    requests: int
    seconds: float
    errors: int
    median_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Return the answered requests per second."""
        return self.requests / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """Return all values, as docs/evidence/performance.json has them."""
        return asdict(self) | {"per_second": self.per_second}


class RunningLoad:
    """A running wrk."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: int) -> None:
        self._process = process
        self._deadline = time.monotonic() + seconds + _GRACE_SECONDS
        self.pid = process.pid

    def result(self) -> LoadResult:
        """Wait until wrk has ended and return its results. Raises ConfigurationError if it failed."""
        try:
            output, _ = self._process.communicate(timeout=self._deadline - time.monotonic())
        except subprocess.TimeoutExpired:
            raise ConfigurationError("wrk did not end") from None
        return read_result(output.decode(errors="replace"))


def read_result(output: str) -> LoadResult:
    """Parse the output of wrk. Raises ConfigurationError if it has no result."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise ConfigurationError(f"wrk failed: {output.strip() or 'it printed nothing'}")
    fields = json.loads(lines[-1])
    return LoadResult(
        requests=fields["requests"],
        seconds=fields["microseconds"] / 1e6,
        errors=fields["errors"],
        median_ms=fields["p50"] / 1000,
        p99_ms=fields["p99"] / 1000,
    )


@contextmanager
def running_load(url: str, paths: Sequence[str], connections: int, seconds: int) -> Iterator[RunningLoad]:
    """Load a server for this time, during the block; the load ends with the block at the latest."""
    threads = -(-connections // _CONNECTIONS_PER_THREAD)
    with tempfile.TemporaryDirectory(prefix="bench-wrk-") as folder:
        script = Path(folder) / "load.lua"
        script.write_text(_SCRIPT % ", ".join(f"'{path}'" for path in paths))
        command = [
            "wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{_TIMEOUT_SECONDS}s",
            "-s", str(script), url + paths[0],
        ]  # fmt: skip
        with running_program(command, subprocess.PIPE) as process:
            yield RunningLoad(process, seconds)


def run_load(url: str, paths: Sequence[str], connections: int, seconds: int) -> LoadResult:
    """Load a server for this time, and return the results. Raises ConfigurationError if wrk failed."""
    with running_load(url, paths, connections, seconds) as load:
        return load.result()
