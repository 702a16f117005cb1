"""Bodies as conditions look at them: one JSON object that all programs read in the same way, or nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.policy import BodyState, read_body

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_an_object_is_read(found: dict[str, object]) -> None:
    """An object with any values is what it was."""
    assert read_body(json.dumps(found).encode()) == found


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"1",
        b'"a"',
        b"{",
        b"{} {}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 1}',
        b'{"b": [{"a": 1, "\\u0061": 2}]}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"a": "\n"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a": ' + b"[" * 60_000 + b"]" * 60_000 + b"}",
        b"{'a': 1}",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_cannot_be_looked_at(data: bytes) -> None:
    """What is not one object, or is read in different ways, is unreadable."""
    assert read_body(data) is BodyState.UNREADABLE


def test_nesting() -> None:
    """A hundred levels are read."""
    assert isinstance(read_body(b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}"), dict)
    assert isinstance(read_body(b'{"a": [' + b"{}," * 200 + b"{}]}"), dict)


def test_no_body() -> None:
    """No bytes are no body."""
    assert read_body(b"") is BodyState.ABSENT
