"""Restarts of workers and gateways during a run, as an operator would do them."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fast_priority.errors import ConfigurationError
from loadtests.oracle import Finding, Verdict
from loadtests.records import RequestTrace

# A drain takes as long as all waiting requests: longer than the longest scenario's backlog.
_DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RestartStep:
    """A restart or an end of processes, and when it began (unix seconds)."""

    name: str
    began_at: float


@dataclass(slots=True)
class StackControl:
    """Restarts and ends processes of a stack with SIGTERM; ConfigurationError if one does not end."""

    start_workers: "Callable[[], list[subprocess.Popen[bytes]]]"
    workers: "list[subprocess.Popen[bytes]]"
    gateways: "list[subprocess.Popen[bytes]]"

    def restart_workers(self) -> RestartStep:
        """End the workers; when they have finished their requests, start new ones."""
        step = RestartStep("the workers were restarted", time.time())
        _end("workers", self.workers)
        self.workers = self.start_workers()
        return step

    def end_gateways(self) -> RestartStep:
        """End the gateways; they finish all waiting requests first. The stack cannot be used afterwards."""
        step = RestartStep("the gateways were ended", time.time())
        _end("gateways", self.gateways)
        return step


def judge_drained(traces: Sequence[RequestTrace], steps: Sequence[RestartStep], slots: int) -> Finding:
    """Return whether requests were in progress at both steps; it cannot be violated.

    With no more requests than slots, neither waiting requests nor those at the target were tested.
    """
    counts = [sum(one.sent.sent_at <= step.began_at < one.sent.ended_at for one in traces) for step in steps]
    described = " and ".join(
        f"{step.name} with {count} requests in progress" for step, count in zip(steps, counts, strict=True)
    )
    if len(steps) < 2:
        reason = f"the run ended before both steps: {described or 'nothing was'}; let it or the service last longer"
        return Finding("drained", Verdict.UNPROVED, reason)
    if min(counts) <= slots:
        reason = f"{described}: more than {slots} are wanted; let the service last longer"
        return Finding("drained", Verdict.UNPROVED, reason)
    return Finding("drained", Verdict.PROVED, described)


def _end(name: str, processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.terminate()
    try:
        for process in processes:
            process.wait(_DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"the {name} did not end within {_DRAIN_SECONDS:g} s of SIGTERM") from None
