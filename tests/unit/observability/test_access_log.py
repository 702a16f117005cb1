"""Which requests have a line in the access log, and what it says."""

import json
from typing import Any

import pytest

from fast_priority import events as events_module
from fast_priority.errors import QueueFull, ResponseIncomplete, TargetTimeout
from fast_priority.events import PASS_THROUGH, Answered, Events, Failed, Left, Refused, RequestRecord, publish
from fast_priority.observability import AccessLog
from tests.unit.fake_clock import FakeClock

MOST_BYTES = 4096


def scope(**parts: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "path": "/orders/7",
        "query_string": b"token=secret",
        "headers": [(b"authorization", b"secret"), (b"cookie", b"secret")],
        "client": ("192.0.2.7", 5),
        **parts,
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    clock.seconds = 100.0
    monkeypatch.setattr(events_module, "monotonic", clock)
    return clock


class Log:
    """The lines of a log, and the events that it listens to."""

    def __init__(self, least_seconds: float = 0.0, *, for_people: bool = False) -> None:
        self.texts: list[str] = []
        self.events = Events()
        AccessLog(least_seconds, self.texts.append, for_people=for_people).listen(self.events)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]


def answered(clock: FakeClock, level: str = "high") -> RequestRecord:
    """Return the record of a request that the target has answered, after 1.5 s."""
    record = RequestRecord("r1")
    record.level = level
    clock.seconds += 0.25
    record.note_slot()
    clock.seconds += 1
    record.note_head()
    record.is_of_target, record.sent_bytes, record.status = True, 1234, 200
    clock.seconds += 0.25
    return record


def test_what_a_line_says(clock: FakeClock) -> None:
    """It has all that is known of the request, with its times in milliseconds."""
    log = Log()
    publish(log.events.answered, Answered(scope(), 200, answered(clock)))
    (line,) = log.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "high", "rule": None, "key": None, "client": "192.0.2.7", "method": "GET", "path": "/orders/7",
        "status": 200,
        "answered_by": "target", "queue_ms": 250.0, "target_ms": 1000.0, "total_ms": 1500.0, "bytes": 1234,
        "attempt": 1, "request_id": "r1", "end": "answered",
    }  # fmt: skip


def test_for_people(clock: FakeClock) -> None:
    """On a terminal it is a sentence with the same, and what is as usual is left out."""
    log = Log(for_people=True)
    publish(log.events.answered, Answered(scope(path="/caf\u00e9\n"), 200, answered(clock)))
    publish(log.events.refused, Refused(scope(client=None), QueueFull(), RequestRecord("r2")))
    first, second = (text.partition(" ")[2] for text in log.texts)
    assert first == (
        "200 GET /caf\\xe9\\n, high: 1500.0 ms, queue 250.0 ms, target 1000.0 ms, 1234 bytes, by target, "
        "client 192.0.2.7, request r1"
    )
    assert second == "503 GET /orders/7, none: 0.0 ms, 0 bytes, by gateway, queue-full, client unknown, request r2"


@pytest.mark.parametrize("for_people", [False, True])
def test_the_rule_and_the_key(clock: FakeClock, *, for_people: bool) -> None:
    """Where rules and keys decide, their names are in the line."""
    log, record = Log(for_people=for_people), answered(clock, "normal")
    record.rule, record.key = "batch team", "labelling\u00e9"
    publish(log.events.answered, Answered(scope(), 200, record))
    if for_people:
        assert ", rule batch team, key labelling\\xe9, client" in log.texts[0]
    else:
        assert [log.lines[0][name] for name in ("level", "rule", "key")] == ["normal", "batch team", "labelling\u00e9"]


def test_why_it_ended(clock: FakeClock) -> None:
    """A refusal and a failure have their type, and a response that broke off the status that the client got."""
    log, record = Log(), RequestRecord("r1")
    record.level = PASS_THROUGH
    publish(log.events.refused, Refused(scope(), QueueFull(), record))
    publish(log.events.failed, Failed(scope(), TargetTimeout(), False, record))
    publish(log.events.failed, Failed(scope(), ZeroDivisionError(), False, record))
    publish(log.events.left, Left(scope(), record))
    publish(log.events.failed, Failed(scope(), ResponseIncomplete(), True, answered(clock)))
    assert [(line["status"], line["answered_by"], line["end"]) for line in log.lines] == [
        (503, "gateway", "queue-full"),
        (504, "gateway", "target-timeout"),
        (500, "gateway", "unforeseen-error"),
        (499, "nobody", "left"),
        (200, "target", "broken off: response-incomplete"),
    ]


@pytest.mark.parametrize("for_people", [False, True])
@pytest.mark.parametrize(
    "path", ["/a\nb", "/a\r\n\x00\x1b[31m", "/\x85\u2028", "/" + "x" * 70_000, "/" + "\U0001f600" * 999, "/\udcff"]
)
def test_one_request_is_one_short_line(clock: FakeClock, path: str, *, for_people: bool) -> None:
    """Whatever its path, method, rule and key, it has no control character, and fits into one write to a pipe."""
    log, record = Log(for_people=for_people), answered(clock)
    record.rule = record.key = path[:100]
    publish(log.events.answered, Answered(scope(path=path, method="M" * 70_000), 200, record))
    (text,) = log.texts
    assert text.isprintable()
    assert len(text.encode()) < MOST_BYTES


@pytest.mark.parametrize("for_people", [False, True])
def test_no_secret_is_in_a_line(clock: FakeClock, *, for_people: bool) -> None:
    """No query and no field of the request is in it."""
    log = Log(for_people=for_people)
    publish(log.events.answered, Answered(scope(), 200, answered(clock)))
    assert "secret" not in log.texts[0]


@pytest.mark.parametrize(("least_seconds", "lines"), [(0, 1), (1.5, 1), (1.6, 0)])
def test_what_is_slow(clock: FakeClock, least_seconds: float, lines: int) -> None:
    """Only a request that took as long, from its head to the end of its response, has a line."""
    log = Log(least_seconds)
    publish(log.events.answered, Answered(scope(), 200, answered(clock)))
    assert len(log.texts) == lines


def test_what_fails_has_a_line(clock: FakeClock) -> None:
    """However quick it was; but not a client's own error, nor a client that left."""
    log, record = Log(60), RequestRecord("r1")
    publish(log.events.answered, Answered(scope(), 404, answered(clock)))
    publish(log.events.left, Left(scope(), record))
    publish(log.events.answered, Answered(scope(), 502, answered(clock)))
    publish(log.events.refused, Refused(scope(), QueueFull(), record))
    publish(log.events.failed, Failed(scope(), ResponseIncomplete(), True, answered(clock)))
    assert [line["status"] for line in log.lines] == [502, 503, 200]


def test_what_is_not_known(clock: FakeClock) -> None:
    """A request that skips the queues has no time in one; one that was not sent has none at the target."""
    log = Log()
    publish(log.events.answered, Answered(scope(), 200, answered(clock, PASS_THROUGH)))
    publish(log.events.left, Left(scope(), RequestRecord("r1")))
    assert [(line["queue_ms"], line["target_ms"]) for line in log.lines] == [(None, 1000.0), (None, None)]
