"""What a gateway does about the levels that it finds in force."""

import logging
from typing import Any

import pytest
from redis.exceptions import ResponseError

from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.scheduling.level_table import FixedTable, LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority

NORMAL, BATCH = Priority("normal"), Priority("batch")
THREE = (Priority.HIGH, NORMAL, Priority.LOW)
TABLE = LevelTable(THREE, {"high": LevelLimits(1, 10), "normal": LevelLimits(2, 20)}, LevelLimits(9, 90))


def answer(levels: str, served: str | None = None, change: int = 0) -> Any:
    return [levels.encode(), (served or levels).encode(), change]


@pytest.fixture
def levels() -> LevelsInForce:
    return LevelsInForce(FixedTable(TABLE))


def test_its_own_are_in_force(levels: LevelsInForce) -> None:
    """A gateway whose levels are in force is ready, and its submits renew them."""
    levels.note(answer("high normal low"))
    assert (levels.problem, levels.are_held, levels.in_force) == (None, True, THREE)


@pytest.mark.parametrize("others", ["high low", "high low normal", "urgent high normal low"])
def test_others_are_in_force(levels: LevelsInForce, others: str, caplog: pytest.LogCaptureFixture) -> None:
    """A gateway that finds other levels is not ready, names both, once in the log, and does not renew them."""
    for _ in range(3):
        levels.note(answer(others))
    assert levels.problem is not None
    assert others.replace(" ", ",") in levels.problem
    assert "high,normal,low" in levels.problem
    assert (levels.are_held, len(caplog.records)) == (False, 1)


def test_it_is_ready_again(levels: LevelsInForce) -> None:
    """When its own levels come in force, it is ready."""
    levels.note(answer("high low"))
    levels.note(answer("high normal low", change=1))
    assert (levels.problem, levels.are_held) == (None, True)


def test_it_adopts(levels: LevelsInForce, caplog: pytest.LogCaptureFixture) -> None:
    """A gateway whose levels were in force adopts those of one that takes over, and says so."""
    levels.note(answer("high normal low", change=3))
    with caplog.at_level(logging.WARNING):
        levels.note(answer("high low batch", "high normal low batch", change=4))
    assert (levels.problem, levels.are_held, levels.names, levels.change) == (None, True, "high low batch", 4)
    assert [str(level) for level in levels.lanes.current.priorities] == ["high", "normal", "low", "batch"]
    assert "high,low,batch" in caplog.text
    assert "high,normal,low" in caplog.text


@pytest.mark.parametrize("change", [0, 3])
def test_it_adopts_nothing_without_a_change(levels: LevelsInForce, change: int) -> None:
    """Other levels that nobody has put in its place on purpose are a problem: Redis may have lost its own."""
    levels.note(answer("high normal low", change=3))
    levels.note(answer("high low", change=change))
    assert levels.problem is not None
    assert levels.names == "high normal low"


def test_it_takes_over_once() -> None:
    """It takes over with its first look; later ones, after another gateway has, adopt."""
    levels = LevelsInForce(FixedTable(TABLE), takes_over=True)
    assert levels.call().takes_over
    levels.note(answer("high normal low", change=1))
    assert not levels.call().takes_over
    levels.note(answer("high low", change=2))
    assert (levels.names, levels.problem) == ("high low", None)


def test_it_lets_others_begin(levels: LevelsInForce) -> None:
    """A gateway that is not ready begins only after three looks without levels: others may have lost their Redis."""
    assert levels.call().may_begin
    levels.note(answer("high low"))
    seen = []
    for _ in range(4):
        seen.append(levels.call().may_begin)
        levels.note([b"", b"", 0])
    assert seen == [False, False, False, True]


@pytest.mark.parametrize(
    "found",
    [
        ResponseError("OOM"),
        answer("high"),
        answer("high HIGH low"),
        answer("high  low"),
        answer("high high"),
        answer(" ".join(f"a{number}" for number in range(9))),
        [b"\xff\xfe low", b"high low", 0],
        [b"high " + b"a" * 1000, b"high low", 0],
    ],
)
def test_what_cannot_be_levels(levels: LevelsInForce, found: Any) -> None:
    """An error, or what is no list of levels, changes nothing."""
    levels.note(answer("high normal low"))
    levels.note(found)
    assert (levels.in_force, levels.problem, levels.lanes.current.priorities) == (THREE, None, THREE)


def test_what_is_in_force_is_served(levels: LevelsInForce) -> None:
    """Where what is served cannot be levels, or leaves some out, those in force are served."""
    for served in ("high", "X"):
        levels.note(answer("high low", served, change=1))
        assert set(levels.lanes.current.names) >= {"high", "low"}


@pytest.mark.parametrize(
    ("in_force", "level", "expected"),
    [
        ("high normal low", NORMAL, "normal"),
        ("high low", NORMAL, "low"),
        ("high low batch", BATCH, "batch"),
        ("low high", NORMAL, "low"),
        ("high low", BATCH, "low"),
        ("high batch low", NORMAL, "low"),
        ("high normal", Priority.LOW, "normal"),
    ],
)
def test_a_level_that_is_not_in_force(levels: LevelsInForce, in_force: str, level: Priority, expected: str) -> None:
    """Its requests wait at the next less important level of the gateway that is in force, else at the last one."""
    levels.note(answer(in_force))
    assert levels.place(level) == expected


def test_limits_follow_the_lanes(levels: LevelsInForce) -> None:
    """Each lane has its own limit, in the order of the lanes; a level of other gateways has that of the others."""
    levels.note(answer("high low batch", "high normal low batch"))
    assert levels.limits() == [1, 2, 9, 9]
    assert [levels.ttl_seconds(level) for level in (Priority.HIGH, NORMAL, BATCH)] == [10, 20, 90]
