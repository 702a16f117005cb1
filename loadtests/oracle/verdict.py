"""The result of one check: a verdict, and its reason. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a run shows about a promise; `exit_code` is the exit status of a program that reports it."""

    PROVED = 0
    VIOLATED = 1
    # Not 2: that is the exit status for usage errors and failed starts.
    UNPROVED = 3

    @property
    def exit_code(self) -> int:
        """0: proved, 1: violated, 3: this run proves nothing."""
        return self.value


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: the verdict, the reason in one sentence, and lines of evidence."""

    check: str
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the overall verdict: violated if any is; else unproved if any is, or if there are none."""
    found = set(verdicts)
    for verdict in (Verdict.VIOLATED, Verdict.UNPROVED, Verdict.PROVED):
        if verdict in found:
            return verdict
    return Verdict.UNPROVED
