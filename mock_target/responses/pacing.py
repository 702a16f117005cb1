"""When each piece of a body is due: at once, spread over time, or at a bandwidth. Pure.

Due times count from the head of the response, so that one slow piece does not delay all later ones. No piece is due
after more than an hour: the rest is sent then.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mock_target.settings import MAX_SECONDS, Behaviour, Dribble

# Pieces a second at a bandwidth: smooth enough, and cheap to send.
_PIECES_PER_SECOND = 20


class Piece(NamedTuple):
    """Bytes of a body, due `due_seconds` after the head; 0: at once."""

    due_seconds: float
    content: bytes


NO_CONTENT = Piece(0.0, b"")


def pace(pieces: Iterable[Piece], length_bytes: int, behaviour: Behaviour) -> Iterable[Piece]:
    """Return the pieces of a body of `length_bytes`, spread as the behaviour sets; the slower way if it sets both."""
    if behaviour.dribble is not None:
        pieces = _dribble(pieces, length_bytes, behaviour.dribble)
    if behaviour.bandwidth is not None:
        pieces = _limit_bandwidth(pieces, behaviour.bandwidth)
    return pieces


def delay_end(pieces: Iterable[Piece], seconds: float) -> Iterator[Piece]:
    """Yield the pieces, and an empty one `seconds` after the last."""
    last_due_seconds = 0.0
    for piece in pieces:
        last_due_seconds = piece.due_seconds
        yield piece
    yield Piece(min(last_due_seconds + seconds, 2 * MAX_SECONDS), b"")


def truncate(pieces: Iterable[Piece], max_bytes: int) -> Iterator[Piece]:
    """Yield the first `max_bytes` bytes of a body."""
    left_bytes = max_bytes
    for piece in pieces:
        yield Piece(piece.due_seconds, piece.content[:left_bytes])
        left_bytes -= len(piece.content)
        if left_bytes <= 0:
            return


def _dribble(pieces: Iterable[Piece], length_bytes: int, dribble: Dribble) -> Iterator[Piece]:
    """Split a body into N equal parts; part n is due at n/N of the time."""
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


def _limit_bandwidth(pieces: Iterable[Piece], bytes_per_second: int) -> Iterator[Piece]:
    """Split a body into small pieces; each is due when its last byte could have been sent."""
    max_bytes, position = max(1, bytes_per_second // _PIECES_PER_SECOND), 0
    for piece in pieces:
        for start in range(0, max(1, len(piece.content)), max_bytes):
            content = piece.content[start : start + max_bytes]
            position += len(content)
            due_seconds = max(piece.due_seconds, position / bytes_per_second)
            yield Piece(min(due_seconds, MAX_SECONDS), content)
