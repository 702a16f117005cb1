"""Which requests have a line in the log, and what is in it."""

import logging

import pytest

from fast_priority.errors import QueueFull, RequestLost, ResponseIncomplete
from fast_priority.events import Answered, Events, Failed, Left, Received, Refused, RequestRecord, Retried, publish
from fast_priority.observability import RequestLog

SCOPE = {"method": "GET", "path": "/caf\u00e9", "query_string": b"token=secret"}
RECORD = RequestRecord("r1")


@pytest.fixture
def events() -> Events:
    events = Events()
    RequestLog().listen(events)
    return events


def test_a_refusal(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """Its line has status, kind, method, path and detail, and no query."""
    publish(events.refused, Refused(SCOPE, QueueFull("the low queue is full"), RECORD))
    assert caplog.messages == ["answered 503 queue-full: GET '/caf\\xe9', request r1: the low queue is full"]


def test_a_failure(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """The line of a request that the client got an error for is like that of a refusal."""
    publish(events.failed, Failed(SCOPE, RequestLost("its worker died"), False, RECORD))
    assert caplog.messages == ["answered 502 request-lost: GET '/caf\\xe9', request r1: its worker died"]


def test_a_response_that_was_broken_off(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """No status is named: the client has the status of the response."""
    publish(events.failed, Failed(SCOPE, ResponseIncomplete("it is too short"), True, RECORD))
    assert caplog.messages == [
        "broke off a response: response-incomplete: GET '/caf\\xe9', request r1: it is too short"
    ]


def test_a_retry(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """Its line has the error of the first attempt."""
    publish(events.retried, Retried(SCOPE, RequestLost("its worker died"), RECORD))
    assert caplog.messages == [
        "a request failed and is sent again, before all others: GET '/caf\\xe9', request r1: its worker died"
    ]


def test_a_flood(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """Of many refusals of one kind there is one line; another kind has a line of its own."""
    for _ in range(1000):
        publish(events.refused, Refused(SCOPE, QueueFull(), RECORD))
    publish(events.failed, Failed(SCOPE, RequestLost(), False, RECORD))
    assert [message.split(":")[0] for message in caplog.messages] == [
        "answered 503 queue-full",
        "answered 502 request-lost",
    ]


def test_a_client_that_left(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """It is no warning."""
    with caplog.at_level(logging.DEBUG):
        publish(events.left, Left(SCOPE, RECORD))
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


def test_what_the_server_logs(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """An error that is no GatewayError has its traceback in the server's log, and no line here."""
    publish(events.failed, Failed(SCOPE, ZeroDivisionError(), False, RECORD))
    assert caplog.messages == []


def test_what_is_answered_is_not_listened_to(events: Events) -> None:
    """The log makes no event of a request that succeeds necessary."""
    assert (events.received, events.queued, events.answered) == ((), (), ())
    publish(events.received, Received(SCOPE, RECORD))
    publish(events.answered, Answered(SCOPE, 200, RECORD))
