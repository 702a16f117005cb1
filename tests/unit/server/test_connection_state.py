"""The table of a connection's states."""

import pytest

from fast_priority.server.connection_state import TRANSITIONS, WAITS_FOR_HEAD, Event, Reading


def after(*events: Event, before: Reading = Reading.NEW) -> Reading:
    """Return the state after these events."""
    for event in events:
        before = TRANSITIONS[event][before]
    return before


REQUEST = (Event.REQUEST, Event.HEAD_END, Event.REQUEST_END)


def test_one_request_after_another() -> None:
    """A connection reads requests one after the other, and is idle between them."""
    assert after(Event.BYTES, Event.REQUEST, Event.HEAD_END) is Reading.BODY
    assert after(Event.BYTES, *REQUEST) is Reading.IDLE
    assert after(Event.BYTES, *REQUEST, *REQUEST) is Reading.IDLE


def test_a_head_that_is_read_twice() -> None:
    """A head with Upgrade and a body is read again, and its request then goes on like any other."""
    twice = (Event.BYTES, Event.REQUEST, Event.HEAD_WITH_UPGRADE, Event.REQUEST_END)
    assert after(*twice) is Reading.HEAD_AGAIN
    assert after(*twice, *REQUEST) is Reading.IDLE


def test_a_connection_that_is_new_when_the_server_ends() -> None:
    """A connection on which nothing has come counts as idle from then on; every other state stays."""
    assert after(Event.DRAIN) is Reading.IDLE
    others = set(Reading) - {Reading.NEW}
    assert {state: after(Event.DRAIN, before=state) for state in others} == {state: state for state in others}


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (Event.REFUSAL, Reading.REFUSED),
        (Event.TAKE_OVER, Reading.TAKEN_OVER),
        (Event.CLOSE, Reading.CLOSED),
    ],
)
def test_ends(event: Event, state: Reading) -> None:
    """A connection may be refused, taken over or closed in any state."""
    assert {after(event, before=each) for each in Reading} == {state}


@pytest.mark.parametrize("ended", [Reading.REFUSED, Reading.TAKEN_OVER, Reading.CLOSED])
@pytest.mark.parametrize("event", [Event.BYTES, *REQUEST, Event.HEAD_WITH_UPGRADE])
def test_no_request_after_the_end(ended: Reading, event: Event) -> None:
    """No request is read on a connection that was refused, taken over or closed."""
    with pytest.raises(KeyError):
        after(event, before=ended)


def test_every_event_has_its_transitions() -> None:
    """The table names each event, and the timeout of each state that waits for a head."""
    assert set(TRANSITIONS) == set(Event)
    assert {Reading.NEW, Reading.HEAD, Reading.HEAD_AGAIN, Reading.BODY} == WAITS_FOR_HEAD
