"""The check on stacks that it starts itself."""

from pathlib import Path

import pytest

from fast_priority.local.child_processes import running
from tests.acceptance.oracle_rig import ONE_SCENARIO, check

pytestmark = pytest.mark.timeout(120)


def test_this_gateway_is_proved_with_a_stack_of_its_own(tmp_path: Path) -> None:
    """`check` alone starts all it needs, finds no inversion, and leaves a report, results and a JUnit file."""
    code, results = check(tmp_path, *ONE_SCENARIO, "--workers", "2", "--gateways", "2", run=running)
    assert (code, results["verdict"]) == (0, "PROVED"), results
    assert [scenario["order"]["inversions"] for scenario in results["scenarios"]] == [0]
    assert (tmp_path / "report.html").read_text().lower().startswith("<!doctype html>")
    assert "<testsuite" in (tmp_path / "junit.xml").read_text()


@pytest.mark.parametrize("shape", ["slots", "mixed"])
def test_the_order_holds_with_slots_in_the_gateways(tmp_path: Path, shape: str) -> None:
    """Two gateways with slots of their own, alone and beside a worker, keep the order, the limit and all answers."""
    code, results = check(tmp_path, *ONE_SCENARIO, "--shape", shape, "--gateways", "2")
    assert (code, results["verdict"]) == (0, "PROVED"), results
    assert [scenario["order"]["inversions"] for scenario in results["scenarios"]] == [0]


def test_bad_days_change_nothing_about_the_order(tmp_path: Path) -> None:
    """Our own stack keeps the order with slow low requests, a failing target, leaving clients, ending processes."""
    names = ("slow-low", "failing", "leaving", "drain")
    wanted = [word for name in names for word in ("--scenario", name)]
    code, results = check(tmp_path, *wanted, "--seconds", "6", "--gateways", "2")
    assert (code, results["verdict"]) == (0, "PROVED"), results
    assert [scenario["order"]["inversions"] for scenario in results["scenarios"]] == [0] * len(names)
