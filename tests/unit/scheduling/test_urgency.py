"""The urgency in the field Priority."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.policy.urgency import urgency_of


@pytest.mark.parametrize(
    ("value", "urgency"),
    [
        ("u=0", 0),
        ("u=7", 7),
        ("u=5, i", 5),
        ("i, u=2", 2),
        ("i=?0,u=2", 2),
        (" u=1 ", 1),
        ('u=1;a=b;c, x=(1 2), y="a,u=7"', 1),
        ("u=1, u=6", 6),
        ("x=:aGk=:, u=3", 3),
        ("u=8", None),
        ("u=-1", None),
        ("u=5.0", None),
        ("u", None),
        ("u=?1", None),
        ('u="5"', None),
        ("u=(5)", None),
        ("U=5", None),
        ("u = 5", None),
        ("u=5,", None),
        (", u=5", None),
        ("u=5 i", None),
        ("u=5; ", None),
        ("i", None),
        ("", None),
        ("u=5, x=" + "a" * 2000, None),
    ],
)
def test_values(value: str, urgency: int | None) -> None:
    """A value that is a dictionary with `u` from 0 to 7 has an urgency; no other has."""
    assert urgency_of(value) == urgency


@given(st.text(alphabet='u=5,i; ()"?:.-a*', max_size=40))
def test_any_text(value: str) -> None:
    """Any text is read, and an urgency is from 0 to 7."""
    assert urgency_of(value) in (None, *range(8))
