"""Listeners and what they get."""

import pytest

from fast_priority.errors import (
    GatewayError,
    GatewayNotReady,
    LoopDetected,
    QueueFull,
    RequestLost,
    TargetTimeout,
)
from fast_priority.events import Answered, Events, Failed, Left, Refused, RequestRecord, publish, publish_error

SCOPE = {"method": "GET", "path": "/"}
RECORD = RequestRecord("r1")


def test_listeners_get_the_type_that_they_subscribed_to() -> None:
    """Each event goes to all listeners of its type, in the order in which they subscribed, and to no other."""
    events, seen = Events(), list[tuple[str, object]]()
    events.subscribe(Answered, lambda event: seen.append(("first", event)))
    events.subscribe(Answered, lambda event: seen.append(("second", event)))
    events.subscribe(Left, lambda event: seen.append(("another", event)))
    event = Answered(SCOPE, 200, RECORD)
    publish(events.answered, event)
    assert seen == [("first", event), ("second", event)]


def test_a_listener_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, the next listener gets the event, and the request goes on."""
    events, seen = Events(), list[object]()

    def fail(event: object) -> None:
        raise ZeroDivisionError

    events.subscribe(Left, fail)
    events.subscribe(Left, seen.append)
    publish(events.left, Left(SCOPE, RECORD))
    assert seen == [Left(SCOPE, RECORD)]
    assert caplog.messages == ["a listener failed on Left"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (QueueFull(), Refused),
        (GatewayNotReady(), Refused),
        (LoopDetected(), Refused),
        (RequestLost(), Failed),
        (TargetTimeout(), Failed),
        (GatewayError(), Failed),
    ],
    ids=lambda each: getattr(each, "slug", None),
)
def test_an_error_is_a_refusal_or_a_failure(error: GatewayError, kind: type[object]) -> None:
    """A 500, 502 or 504 is a failure, any other status a refusal."""
    events, seen = Events(), list[object]()
    events.subscribe(Refused, seen.append)
    events.subscribe(Failed, seen.append)
    publish_error(events, SCOPE, error, RECORD)
    assert [type(event) for event in seen] == [kind]
