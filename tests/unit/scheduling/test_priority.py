"""Levels by name, and the lists of levels that a deployment can have."""

import copy
import pickle

import pytest

import fast_priority
from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority, levels_from


def test_a_level_is_its_name() -> None:
    """A level is a text: its name, which is also that of its rq queue."""
    assert (str(Priority("normal")), Priority("normal").value, f"{Priority('b2')}") == ("normal", "normal", "b2")
    assert Priority("normal") == "normal"


def test_the_public_names() -> None:
    """`from fast_priority import Priority` has high and low, and those are the levels if nothing else is set."""
    assert (fast_priority.Priority.HIGH, fast_priority.Priority.LOW) == DEFAULT_LEVELS == ("high", "low")
    assert fast_priority.Priority("high") is fast_priority.Priority.HIGH


@pytest.mark.parametrize("level", [*DEFAULT_LEVELS, Priority("normal")])
def test_a_level_is_copied(level: Priority) -> None:
    """A copy of a level, made by pickling as well, is the same level and of the same type."""
    for copied in (copy.deepcopy(level), pickle.loads(pickle.dumps(level))):  # noqa: S301 - its own
        assert (copied, type(copied)) == (level, Priority)


@pytest.mark.parametrize("name", ["", "High", "2fast", "a-b", "a b", "ä", "a" * 17, "high\n", "a:b"])
def test_no_level(name: str) -> None:
    """What is no small letter with up to 15 small letters or digits behind it is refused."""
    with pytest.raises(ValueError, match="is not a name of a level"):
        Priority(name)


@pytest.mark.parametrize(
    "names",
    [["high", "low"], ["high", "normal", "low"], ["urgent", "high", "low", "batch"], [*"abcdef", "high", "low"]],
)
def test_levels(names: list[str]) -> None:
    """From 2 to 8 levels, in their order; high and low need not be the first and the last."""
    assert list(levels_from(names)) == names


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["high"], "there are 2 to 8 levels, and here are 1"),
        ([*"abcdefg", "high", "low"], "there are 2 to 8 levels, and here are 9"),
        (["high", "low", "high"], "high is there twice"),
        (["high", "normal"], "low is missing"),
        (["urgent", "low"], "high is missing"),
        (["low", "high"], "low stands before high"),
        (["high", "low", "none"], "none stands in metrics and logs for requests without a level"),
        (["high", "Normal", "low"], "'Normal' is not a name of a level"),
    ],
)
def test_no_levels(names: list[str], why: str) -> None:
    """What cannot be the levels of a deployment is refused, with the reason."""
    with pytest.raises(ValueError, match=why):
        levels_from(names)
