"""The results of a check: what the table, the report and the files are made from. Pure."""

from dataclasses import dataclass, field

from loadtests.oracle.ordering import OrderResult
from loadtests.oracle.verdict import Finding, Verdict, worst_verdict
from loadtests.oracle.wait_comparison import Comparison
from loadtests.records import RequestTrace


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of one scenario: its requests and its findings. Times are unix seconds."""

    name: str
    title: str
    """What the scenario does, in one line."""
    slots: int
    began_at: float
    ended_at: float
    traces: tuple[RequestTrace, ...]
    order: OrderResult
    findings: tuple[Finding, ...]
    comparison: Comparison | None = None
    """Measured waits compared with theory, for scenarios that check them."""

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst_verdict(finding.verdict for finding in self.findings)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All scenarios of one check, the skipped ones with the reason, and the machine that it ran on."""

    url: str
    scenarios: tuple[ScenarioResult, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of all scenarios."""
        return worst_verdict(scenario.verdict for scenario in self.scenarios)
