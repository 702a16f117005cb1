"""memoized: a result is used again for equal fields, and for no others."""

import pytest

from fast_priority.http.memo import memoized, split_at_own
from fast_priority.http.message import Field, Fields


class Reading:
    """Reads fields, and counts how often."""

    def __init__(self) -> None:
        self.read: list[tuple[Fields, str]] = []
        self.give = memoized(self._read)

    def _read(self, fields: Fields, method: str = "GET") -> list[Field]:
        self.read.append((fields, method))
        if not fields:
            raise ValueError("nothing to read")
        return [*fields, (b"for", method.encode())]


def test_equal_fields_are_read_once() -> None:
    """For equal fields and arguments, the first result is returned."""
    reading = Reading()
    first = reading.give([(b"a", b"1"), (b"b", b"2")], "PUT")
    assert reading.give([(b"a", b"1"), (b"b", b"2")], "PUT") is first
    assert len(reading.read) == 1


@pytest.mark.parametrize(
    "other",
    [
        ([(b"a", b"2")], "GET"),
        ([(b"A", b"1")], "GET"),
        ([(b"a", b"1"), (b"a", b"1")], "GET"),
        ([(b"a", b"1")], "PUT"),
    ],
    ids=["value", "case", "another line", "argument"],
)
def test_one_byte_makes_a_difference(other: tuple[Fields, str]) -> None:
    """Different fields, or arguments, have results of their own."""
    reading = Reading()
    reading.give([(b"a", b"1")], "GET")
    assert reading.give(*other) == [*other[0], (b"for", other[1].encode())]


def test_errors_are_not_kept() -> None:
    """Fields that raise an error are read again each time."""
    reading = Reading()
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing"):
            reading.give([])
    assert len(reading.read) == 2


def test_256_results_are_kept() -> None:
    """The last 256 results are kept; the fields of the others are read again."""
    reading = Reading()
    for number in range(300):
        reading.give([(b"n", b"%d" % number)])
    for number in (299, 44, 43):
        reading.give([(b"n", b"%d" % number)])
    assert [fields for fields, _ in reading.read[300:]] == [[(b"n", b"43")]]


def test_results_of_large_fields_are_not_kept() -> None:
    """Large fields are read each time, so that the kept ones stay small."""
    reading = Reading()
    for _ in range(2):
        reading.give([(b"n", b"x" * 4096)])
    assert len(reading.read) == 2


@pytest.mark.parametrize("own", [[], [(b"x-request-id", b"1")], [(b"server-timing", b"a"), (b"x-request-id", b"1")]])
def test_fields_of_one_message(own: Fields) -> None:
    """Those at the end are split off, so that the rest repeats; nothing is lost, and the order stays."""
    repeated: Fields = [(b"x-request-id", b"of the target"), (b"via", b"1.1 a")]
    assert split_at_own([*repeated, *own]) == (repeated, own)
