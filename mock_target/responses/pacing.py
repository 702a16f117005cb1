"""When each piece of a body is due: all at once, in a dribble, or at a bandwidth. Pure.

Due times count from the head of the answer, so that a slow piece does not make all later ones late. No piece is due
later than an hour: by then all the rest comes at once.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mock_target.settings import MAX_SECONDS, Behaviour, Dribble

# At a bandwidth, this many pieces a second: smooth to look at, cheap to send.
_PIECES_PER_SECOND = 20


class Piece(NamedTuple):
    """Bytes of a body, due so many seconds after the head; 0: at once."""

    due_seconds: float
    content: bytes


NO_CONTENT = Piece(0.0, b"")


def pace(pieces: Iterable[Piece], length_bytes: int, behaviour: Behaviour) -> Iterable[Piece]:
    """Spread the pieces of a body of that length as the behaviour says; of both the slower counts."""
    if behaviour.dribble is not None:
        pieces = _dribble(pieces, length_bytes, behaviour.dribble)
    if behaviour.bandwidth is not None:
        pieces = _slow_down(pieces, behaviour.bandwidth)
    return pieces


def hold_open(pieces: Iterable[Piece], seconds: float) -> Iterator[Piece]:
    """Let the end of the body come so many seconds after the last of its bytes."""
    last_due_seconds = 0.0
    for piece in pieces:
        last_due_seconds = piece.due_seconds
        yield piece
    yield Piece(min(last_due_seconds + seconds, 2 * MAX_SECONDS), b"")


def cut(pieces: Iterable[Piece], most_bytes: int) -> Iterator[Piece]:
    """Give the first so many bytes of a body."""
    left_bytes = most_bytes
    for piece in pieces:
        yield Piece(piece.due_seconds, piece.content[:left_bytes])
        left_bytes -= len(piece.content)
        if left_bytes <= 0:
            return


def _dribble(pieces: Iterable[Piece], length_bytes: int, dribble: Dribble) -> Iterator[Piece]:
    """Cut a body at equal distances, and let part n of N be due at n/N of the time."""
    part, part_end, position = 0, 0, 0
    for piece in pieces:
        start, piece_end = position, position + len(piece.content)
        while position < piece_end:
            while part_end <= position:
                part += 1
                part_end = length_bytes * part // dribble.pieces
            content = piece.content[position - start : part_end - start]
            position += len(content)
            yield Piece(max(piece.due_seconds, dribble.seconds * part / dribble.pieces), content)
    if length_bytes == 0:
        yield Piece(dribble.seconds, b"")


def _slow_down(pieces: Iterable[Piece], bytes_per_second: int) -> Iterator[Piece]:
    """Cut a body small, and let each piece be due when its last byte could have come through."""
    most_bytes, position = max(1, bytes_per_second // _PIECES_PER_SECOND), 0
    for piece in pieces:
        for start in range(0, max(1, len(piece.content)), most_bytes):
            content = piece.content[start : start + most_bytes]
            position += len(content)
            due_seconds = max(piece.due_seconds, position / bytes_per_second)
            yield Piece(min(due_seconds, MAX_SECONDS), content)
