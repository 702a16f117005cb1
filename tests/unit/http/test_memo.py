"""What was made of a head is found again when the same head comes, and of nothing else."""

import pytest

from fast_priority.http.memo import memoized
from fast_priority.http.message import Field, Fields


class Reading:
    """Reads fields, and knows how often it had to."""

    def __init__(self) -> None:
        self.read: list[tuple[Fields, str]] = []
        self.give = memoized(self._read)

    def _read(self, fields: Fields, method: str = "GET") -> list[Field]:
        self.read.append((fields, method))
        if not fields:
            raise ValueError("nothing to read")
        return [*fields, (b"for", method.encode())]


def test_the_same_is_read_once() -> None:
    """The same fields and arguments are given what was made of them before."""
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
def test_what_differs_in_one_byte_is_another(other: tuple[Fields, str]) -> None:
    """Other fields, or other arguments, are read by themselves."""
    reading = Reading()
    reading.give([(b"a", b"1")], "GET")
    assert reading.give(*other) == [*other[0], (b"for", other[1].encode())]


def test_an_error_is_not_remembered() -> None:
    """What cannot be read is read anew, and refused, each time."""
    reading = Reading()
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing"):
            reading.give([])
    assert len(reading.read) == 2


def test_so_many_are_kept() -> None:
    """However many heads come, the last 256 are kept, and the others are read again."""
    reading = Reading()
    for number in range(300):
        reading.give([(b"n", b"%d" % number)])
    for number in (299, 44, 43):
        reading.give([(b"n", b"%d" % number)])
    assert [fields for fields, _ in reading.read[300:]] == [[(b"n", b"43")]]


def test_nothing_large_is_kept() -> None:
    """Large fields are read each time: what is kept stays small."""
    reading = Reading()
    for _ in range(2):
        reading.give([(b"n", b"x" * 4096)])
    assert len(reading.read) == 2
