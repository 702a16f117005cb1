"""Which Redis answers, and whether it has just come back."""

import time

from fast_priority.broker.presence import Presence


def answered(*servers: bytes) -> Presence:
    presence = Presence()
    for server in servers:
        presence.note_answer(server, time.monotonic())
    return presence


def test_there_all_the_time() -> None:
    """A Redis that has always answered at once was not away."""
    assert not answered(b"one", b"one").was_away_within(60)


def test_away() -> None:
    """One that did not answer was away, and is remembered for it after it has come back."""
    presence = answered(b"one")
    presence.note_away()
    presence.note_answer(b"one", time.monotonic())
    assert presence.was_away_within(60)
    assert not presence.was_away_within(0)


def test_another() -> None:
    """A server in the place of another counts as one that was away, and the first there is does not."""
    assert not answered(b"one").was_away_within(60)
    assert answered(b"one", b"other").was_away_within(60)


def test_late() -> None:
    """An answer that came late is that of a Redis that was held up."""
    presence = Presence()
    presence.note_answer(b"one", time.monotonic() - 5)
    assert presence.was_away_within(60)
