"""What a check says: a verdict, and why. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a run says of a promise; `exit_code` is what a program that was asked for it exits with."""

    PROVED = 0
    VIOLATED = 1
    # Not 2: that is what a program exits with that could not run, or was asked for nonsense.
    UNPROVED = 3

    @property
    def exit_code(self) -> int:
        """0: proved, 1: violated, 3: this run proves nothing."""
        return self.value


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: the verdict, the reason in one sentence, and the evidence, a line each."""

    check: str
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...] = ()


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Give the verdict on the whole: violated if anything is; else unproved if anything is, or if there is nothing."""
    found = set(verdicts)
    for verdict in (Verdict.VIOLATED, Verdict.UNPROVED, Verdict.PROVED):
        if verdict in found:
            return verdict
    return Verdict.UNPROVED
