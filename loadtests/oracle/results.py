"""What a check of several scenarios has shown, whole: what the table, the report and the files are made from. Pure."""

from dataclasses import dataclass, field

from loadtests.oracle.ordering import Order
from loadtests.oracle.verdict import Finding, Verdict, worst
from loadtests.oracle.wait_comparison import Comparison
from loadtests.records import Passage


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario: what it was, what every request did, and what was found. Times are unix seconds."""

    name: str
    title: str
    """One line: what is done to the gateway."""
    slots: int
    began_at: float
    ended_at: float
    passages: tuple[Passage, ...]
    order: Order
    findings: tuple[Finding, ...]
    comparison: Comparison | None = None
    """Measured waits beside theory, for scenarios that are made for that."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst(finding.verdict for finding in self.findings)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All scenarios of one check, those that were skipped with the reason, and what it ran on."""

    url: str
    scenarios: tuple[ScenarioResult, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of all scenarios."""
        return worst(scenario.verdict for scenario in self.scenarios)
