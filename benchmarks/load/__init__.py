"""Load on a gateway: by wrk, by bursts of requests, and by the load tests' own check."""

from benchmarks.load.bursts import send_bursts
from benchmarks.load.loadtest_check import CheckResult, run_loadtest_check
from benchmarks.load.wrk import LoadResult, RunningLoad, run_load, running_load

__all__ = [
    "CheckResult",
    "LoadResult",
    "RunningLoad",
    "run_load",
    "run_loadtest_check",
    "running_load",
    "send_bursts",
]
