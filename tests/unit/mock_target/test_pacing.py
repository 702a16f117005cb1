"""When the pieces of a body are due."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, create_app
from mock_target.handler import asgi_io
from mock_target.responses.pacing import Piece, delay_end, pace, truncate
from mock_target.settings.behaviour import Behaviour, Dribble
from mock_target.settings.value_parsers import MAX_SECONDS
from tests.unit.mock_target.mock_rig import DirectRequest, let_tasks_run

bodies = st.lists(st.binary(max_size=50), min_size=1, max_size=5)
dribbles = st.none() | st.builds(Dribble, st.integers(1, 60), st.floats(0, 100))
bandwidths = st.none() | st.integers(1, 1000)


def pieces_of(body: list[bytes]) -> list[Piece]:
    return [Piece(0.0, content) for content in body]


def join(pieces: Iterable[Piece]) -> bytes:
    return b"".join(piece.content for piece in pieces)


@given(bodies, dribbles, bandwidths)
def test_pacing_loses_and_reorders_nothing(body: list[bytes], dribble: Dribble | None, bandwidth: int | None) -> None:
    """The bytes are the same, and no piece is due before the one in front of it."""
    behaviour = Behaviour(dribble=dribble, bandwidth=bandwidth)
    paced = list(pace(pieces_of(body), sum(map(len, body)), behaviour))
    assert join(paced) == b"".join(body)
    assert [piece.due_seconds for piece in paced] == sorted(piece.due_seconds for piece in paced)


@given(bodies, st.integers(1, 60), st.floats(0, 100))
def test_a_dribble_lasts_as_long_as_it_should(body: list[bytes], parts: int, seconds: float) -> None:
    """The last piece is due at the end of the time, and there are no more due times than pieces set."""
    paced = list(pace(pieces_of(body), sum(map(len, body)), Behaviour(dribble=Dribble(parts, seconds))))
    assert paced[-1].due_seconds == pytest.approx(seconds)
    assert len({piece.due_seconds for piece in paced}) <= parts


def test_a_dribble_has_equal_parts() -> None:
    """Part n of N is due at n/N of the time."""
    paced = list(pace([Piece(0.0, b"abcdefgh")], 8, Behaviour(dribble=Dribble(4, 2.0))))
    assert paced == [Piece(0.5, b"ab"), Piece(1.0, b"cd"), Piece(1.5, b"ef"), Piece(2.0, b"gh")]


@given(bodies, st.integers(1, 1000))
def test_no_more_comes_through_than_the_bandwidth(body: list[bytes], bandwidth: int) -> None:
    """At the time a piece is due, all bytes up to its end fit through, and the last one not earlier than it must."""
    position = 0
    for piece in pace(pieces_of(body), sum(map(len, body)), Behaviour(bandwidth=bandwidth)):
        position += len(piece.content)
        assert piece.due_seconds * bandwidth == pytest.approx(position)


def test_after_an_hour_the_rest_comes_at_once() -> None:
    """At any bandwidth, no piece is due later than an hour after the head."""
    paced = list(pace([Piece(0.0, bytes(5000))], 5000, Behaviour(bandwidth=1)))
    assert max(piece.due_seconds for piece in paced) == MAX_SECONDS


@given(bodies, st.integers(0, 300))
def test_a_cut_body_is_its_beginning(body: list[bytes], most_bytes: int) -> None:
    """Of a body that is cut, the first so many bytes are left."""
    assert join(truncate(pieces_of(body), most_bytes)) == b"".join(body)[:most_bytes]


def test_an_answer_that_is_held_open_ends_later() -> None:
    """The end comes so many seconds after the last byte."""
    assert list(delay_end([Piece(1.0, b"x")], 5.0)) == [Piece(1.0, b"x"), Piece(6.0, b"")]


async def test_pieces_are_sent_when_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait before a piece counts from the head, and does not depend on the time of sending."""
    now_seconds = 100.0
    waits: list[float] = []

    async def pass_time(seconds: float, _receive: object) -> bool:
        nonlocal now_seconds
        waits.append(round(seconds, 6))
        # Each wait is a little longer than it should be, as in real life.
        now_seconds += seconds + 0.1
        return False

    monkeypatch.setattr(asgi_io, "disconnects_within", pass_time)
    monkeypatch.setattr(asgi_io, "monotonic", lambda: now_seconds)
    request = DirectRequest("/", query="mock_body=abcd&mock_dribble=4,2")
    await request.start(create_app(MockSettings(latency="0")))
    assert [message["body"] for message in request.sent[1:]] == [b"a", b"b", b"c", b"d"]
    assert waits == [0.5, 0.4, 0.4, 0.4]


async def test_a_client_that_disconnects_ends_the_response() -> None:
    """If the client leaves between two pieces, the request ends at once."""
    request = DirectRequest("/", query="mock_body=abcd&mock_dribble=2,3600")
    task = request.start(create_app(MockSettings(latency="0")))
    await let_tasks_run()
    assert request.status == 200
    request.disconnect()
    async with asyncio.timeout(30):
        await task
    assert len(request.sent) == 1
