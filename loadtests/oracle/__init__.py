"""The test oracle: what the records of a run prove. Pure.

- `verdict`, `results`: a verdict with its reason, and all that a check has shown
- `ordering`: whether high requests overtook low ones
- `delivery`: the limit of concurrent requests; that none is sent twice, late or not at all
- `overheads`, `wait_ratio`, `measurement`: waits compared with the perfect queue and theory
- `wait_comparison`: the findings of that comparison
- `judgement`: everything that one scenario promises
"""

from loadtests.oracle.judgement import judge_run
from loadtests.oracle.measurement import compare_with_theory
from loadtests.oracle.ordering import DEFAULT_TOLERANCE_SECONDS, OrderResult, Overtaking, find_inversions, judge_order
from loadtests.oracle.results import CheckResult, ScenarioResult
from loadtests.oracle.verdict import Finding, Verdict, worst_verdict
from loadtests.oracle.wait_comparison import ClassWaits, Comparison

__all__ = [
    "DEFAULT_TOLERANCE_SECONDS",
    "CheckResult",
    "ClassWaits",
    "Comparison",
    "Finding",
    "OrderResult",
    "Overtaking",
    "ScenarioResult",
    "Verdict",
    "compare_with_theory",
    "find_inversions",
    "judge_order",
    "judge_run",
    "worst_verdict",
]
