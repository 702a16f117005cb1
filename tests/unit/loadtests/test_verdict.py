"""Verdicts: their exit codes, and which of several counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.oracle.verdict import Verdict, worst_verdict

PROVED, VIOLATED, UNPROVED = Verdict.PROVED, Verdict.VIOLATED, Verdict.UNPROVED


def test_each_verdict_has_its_exit_code() -> None:
    """0 proved, 1 violated, 3 nothing proved; 2 is left to programs that could not run."""
    assert [verdict.exit_code for verdict in (PROVED, VIOLATED, UNPROVED)] == [0, 1, 3]


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([PROVED, PROVED], PROVED),
        ([PROVED, UNPROVED], UNPROVED),
        ([UNPROVED, VIOLATED, PROVED], VIOLATED),
        ([], UNPROVED),
    ],
)
def test_the_worst_is_the_verdict_on_the_whole(verdicts: list[Verdict], whole: Verdict) -> None:
    """Violated counts before unproved, and unproved before proved; without findings the verdict is unproved."""
    assert worst_verdict(verdicts) is whole


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_whole_is_proved_only_if_all_of_it_is(verdicts: list[Verdict]) -> None:
    """The order of the findings does not matter, and they may come from an iterator."""
    assert (worst_verdict(iter(verdicts)) is PROVED) == all(verdict is PROVED for verdict in verdicts)
    assert (worst_verdict(reversed(verdicts)) is VIOLATED) == (VIOLATED in verdicts)
