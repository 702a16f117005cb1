"""Server-Timing: the value of the field."""

import pytest

from fast_priority.http.server_timing import server_timing


@pytest.mark.parametrize(
    ("queue", "target", "value"),
    [
        (0.0123, 0.0456, b"queue;dur=12.3, target;dur=45.6"),
        (0.0, 300.0, b"queue;dur=0.0, target;dur=300000.0"),
        (None, 0.05, b"target;dur=50.0"),
        (1.5, None, b"queue;dur=1500.0"),
        (None, None, None),
    ],
)
def test_the_value(queue: float | None, target: float | None, value: bytes | None) -> None:
    """It has the parts that are known, in milliseconds; without any there is no value."""
    assert server_timing(queue, target) == value
