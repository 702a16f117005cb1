"""Tools of all benchmarks: programs and their output, the machine, exit statuses and progress lines."""

from benchmarks.support.command import exit_status, positive_int
from benchmarks.support.loopback import fetch, fetch_json
from benchmarks.support.machine import (
    echo_module,
    has_haproxy,
    machine_line,
    prepare_process,
    programs_line,
    require_programs,
)
from benchmarks.support.programs import (
    REPOSITORY,
    benchmark_process,
    captured_output,
    running_program,
)
from benchmarks.support.progress import log_progress

__all__ = [
    "REPOSITORY",
    "benchmark_process",
    "captured_output",
    "echo_module",
    "exit_status",
    "fetch",
    "fetch_json",
    "has_haproxy",
    "log_progress",
    "machine_line",
    "positive_int",
    "prepare_process",
    "programs_line",
    "require_programs",
    "running_program",
]
