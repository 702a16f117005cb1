"""Parts of a stack that are restarted and ended in the midst of a run, as an operator would."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fast_priority.errors import ConfigurationError
from loadtests.oracle import Finding, Verdict
from loadtests.records import Passage

# A drain may take as long as what is in flight or waits: longer than the longest scenario's backlog.
_DRAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done to the stack, and when it began (unix seconds)."""

    name: str
    began_at: float


@dataclass(slots=True)
class Drain:
    """Restarts and ends parts of a stack: SIGTERM, and wait for the end; ConfigurationError if it does not come."""

    start_workers: "Callable[[], list[subprocess.Popen[bytes]]]"
    workers: "list[subprocess.Popen[bytes]]"
    gateways: "list[subprocess.Popen[bytes]]"

    def restart_workers(self) -> Step:
        """End the workers; when they have finished what they were at, start them again."""
        step = Step("the workers were restarted", time.time())
        _end("workers", self.workers)
        self.workers = self.start_workers()
        return step

    def end_gateways(self) -> Step:
        """End the gateways; they answer what waits first. Nothing can be asked of this stack afterwards."""
        step = Step("the gateways were ended", time.time())
        _end("gateways", self.gateways)
        return step


def judge_drained(passages: Sequence[Passage], steps: Sequence[Step], slots: int) -> Finding:
    """Judge whether there was something to lose at both steps; it cannot be violated.

    Without more requests under way than slots, neither who waited nor who was at the target was put to the test.
    """
    counts = [sum(one.sent.sent_at <= step.began_at < one.sent.ended_at for one in passages) for step in steps]
    said = " and ".join(
        f"{step.name} with {count} requests under way" for step, count in zip(steps, counts, strict=True)
    )
    if len(steps) < 2:
        reason = f"the run was over before all was done: {said or 'nothing was'}; let it or the service last longer"
        return Finding("drained", Verdict.UNPROVED, reason)
    if min(counts) <= slots:
        reason = f"{said}: more than {slots} are wanted; let the service last longer"
        return Finding("drained", Verdict.UNPROVED, reason)
    return Finding("drained", Verdict.PROVED, said)


def _end(name: str, processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.terminate()
    try:
        for process in processes:
            process.wait(_DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"the {name} did not end within {_DRAIN_SECONDS:g} s of SIGTERM") from None
