"""Which processes `standalone` runs, and how many slots each of them has."""

from typing import Any

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.local.shape import divided, shape_of
from fast_priority.settings import Settings


@pytest.mark.parametrize(
    ("given", "slots", "workers", "concurrency"),
    [
        ({}, 1, 0, 1),
        ({"slots": 4}, 4, 0, 1),
        ({"workers": "2"}, 0, 2, 1),
        ({"workers": "2", "worker_concurrency": 8}, 0, 2, 8),
        ({"worker_concurrency": 8}, 0, 1, 8),
        ({"slots": 3, "workers": "2"}, 3, 2, 1),
        ({"slots": 3, "worker_concurrency": 8}, 3, 1, 8),
        ({"slots": 0}, 0, 1, 1),
        ({"slots": 0, "workers": "2"}, 0, 2, 1),
    ],
)
def test_what_runs(given: dict[str, Any], slots: int, workers: int, concurrency: int) -> None:
    """Workers run if they are asked for; the gateway has slots if they are, or if nobody else would have any."""
    shape = shape_of(Settings.load(**given), 1)
    assert (shape.gateway_slots, shape.worker_processes, shape.worker_concurrency) == ((slots,), workers, concurrency)


@pytest.mark.parametrize(
    ("variable", "value", "slots", "workers"),
    [
        ("FAST_PRIORITY_SLOTS", "4", 4, 0),
        ("FAST_PRIORITY_SLOTS", "", 1, 0),
        ("FAST_PRIORITY_WORKERS", "2", 0, 2),
        ("FAST_PRIORITY_WORKER", "yes", 0, 1),
        ("FAST_PRIORITY_WORKERS", "", 1, 0),
        ("FAST_PRIORITY_WORKER_CONCURRENCY", "8", 0, 1),
    ],
)
def test_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, slots: int, workers: int
) -> None:
    """A variable asks for the same as its option; an empty one asks for nothing."""
    monkeypatch.setenv(variable, value)
    shape = shape_of(Settings.load(), 1)
    assert (shape.gateway_slots, shape.worker_processes) == ((slots,), workers)


@pytest.mark.parametrize(
    ("slots", "processes", "shares"),
    [(4, 1, (4,)), (4, 2, (2, 2)), (5, 2, (3, 2)), (7, 3, (3, 2, 2)), (3, 3, (1, 1, 1)), (0, 2, (0, 0))],
)
def test_slots_are_divided(slots: int, processes: int, shares: tuple[int, ...]) -> None:
    """The sum is what was asked for, and no process has two more than another."""
    assert divided(slots, processes) == shares


@pytest.mark.parametrize(("given", "said"), [({"slots": 2}, "2 slots"), ({}, "1 slot"), ({"slots": 1}, "1 slot")])
def test_fewer_slots_than_processes(given: dict[str, Any], said: str) -> None:
    """A process without slots beside one with slots is refused, and the error says what to set."""
    with pytest.raises(ConfigurationError, match=rf"--processes 3 with {said} leaves .* set --slots .* to 3 or more"):
        shape_of(Settings.load(**given), 3)


def test_processes_without_slots() -> None:
    """Where workers have all slots, several gateway processes need none."""
    assert shape_of(Settings.load(workers="2"), 3).gateway_slots == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "processes", "text"),
    [
        ({}, 1, "gateway with 1 slot (the default; --slots N sets it)"),
        ({"slots": 1}, 1, "gateway with 1 slot"),
        ({"slots": 5}, 2, "2 gateway processes with 5 slots in all"),
        ({"workers": "4"}, 1, "gateway, 4 worker processes with 1 slot each"),
        ({"workers": "1"}, 2, "2 gateway processes, 1 worker process with 1 slot each"),
        ({"slots": 4, "workers": "2"}, 1, "gateway with 4 slots, 2 worker processes with 1 slot each"),
    ],
)
def test_as_text(given: dict[str, Any], processes: int, text: str) -> None:
    """The processes and their slots can be read, and that nobody has set the slots."""
    assert shape_of(Settings.load(**given), processes).as_text == text
