"""What the metrics count, and how their page is written."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fast_priority.broker.monitor import QueueView
from fast_priority.errors import ConfigurationError, GatewayError, QueueFull, RequestLost, TargetClosed, WaitedTooLong
from fast_priority.events import (
    PASS_THROUGH,
    Answered,
    Events,
    Failed,
    Left,
    Received,
    RequestRecord,
    Retried,
    publish,
    publish_error,
)
from fast_priority.observability import GatewayState, Metrics
from fast_priority.observability.metric_table import METRICS, PREFIX
from fast_priority.observability.metrics import buckets_up_to
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings

SCOPE = {"method": "GET", "path": "/secret", "query_string": b"token=secret", "client": ("192.0.2.7", 1)}
VIEW = QueueView(
    {Priority.HIGH: 3, Priority.LOW: 4},
    started=2,
    workers=1,
    slots=8,
    suspended=False,
    in_flight={Priority.HIGH: 2, Priority.LOW: 0},
    oldest_seconds={Priority.HIGH: 0.5, Priority.LOW: 60.0},
    round_trip_seconds=0.001,
)


class Page:
    """The metrics of a gateway, as they are read from their page."""

    def __init__(self, state: GatewayState | None = None) -> None:
        self.events = Events()
        self.metrics = Metrics(Settings.load(), lambda: state)
        self.metrics.listen(self.events)

    def samples(self) -> Mapping[str, float]:
        body, _ = self.metrics.page("")
        labels = {row.name: row.labels for row in METRICS}

        def named(sample: Sample) -> str:
            name = sample.name.removeprefix(PREFIX)
            return ",".join([name, *(sample.labels[label] for label in labels[name.removesuffix("_count")])])

        return {
            named(sample): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
            if not sample.name.endswith(("_bucket", "_created", "_sum"))
        }

    def counted(self) -> Mapping[str, float]:
        """Return what has been counted; without build_info."""
        return {name: value for name, value in self.samples().items() if value and not name.startswith("build_info")}


def of_level(level: str, *, has_slot: bool = False, has_head: bool = False) -> RequestRecord:
    record = RequestRecord("r1")
    record.level = level
    if has_slot:
        record.note_slot()
    if has_head:
        record.note_head()
        record.is_of_target = True
    return record


def test_what_is_answered() -> None:
    """It is counted with its level and status; it waited, and the target took a time for head and body."""
    page = Page()
    record = of_level("high", has_slot=True, has_head=True)
    publish(page.events.received, Received(SCOPE, record))
    publish(page.events.answered, Answered(SCOPE, 201, record))
    assert page.counted() == {
        "received_total": 1,
        "requests_total,high,201": 1,
        "queue_wait_seconds_count,high,started": 1,
        "target_seconds_count,high,head": 1,
        "target_seconds_count,high,body": 1,
    }


def test_what_skips_the_queues() -> None:
    """It has a level of its own, and no wait."""
    page = Page()
    publish(page.events.answered, Answered(SCOPE, 200, of_level(PASS_THROUGH, has_slot=True, has_head=True)))
    assert page.counted() == {
        "requests_total,pass_through,200": 1,
        "target_seconds_count,pass_through,head": 1,
        "target_seconds_count,pass_through,body": 1,
    }


@pytest.mark.parametrize(
    ("error", "level", "counted"),
    [
        (QueueFull(), "low", {"refused_total,low,queue-full", "queue_wait_seconds_count,low,refused"}),
        (WaitedTooLong(), "high", {"refused_total,high,waited-too-long", "queue_wait_seconds_count,high,refused"}),
        (RequestLost(), "low", {"failed_total,low,request-lost"}),
        (TargetClosed(), "low", {"failed_total,low,target-closed", "target_errors_total,target-closed"}),
        (GatewayError(), "none", {"failed_total,none,internal-error"}),
    ],
    ids=lambda each: getattr(each, "slug", None),
)
def test_what_ends_with_an_error(error: GatewayError, level: str, counted: set[str]) -> None:
    """It is counted as refused or failed, by the error; faults of the target once more."""
    page = Page()
    publish_error(page.events, SCOPE, error, of_level(level))
    assert page.counted() == dict.fromkeys({*counted, f"requests_total,{level},{error.status}"}, 1)


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()])
def test_a_bug(error: BaseException) -> None:
    """What is no error of ours has one name, whatever it is."""
    page = Page()
    publish(page.events.failed, Failed(SCOPE, error, False, of_level("high")))
    assert page.counted() == {"failed_total,high,unforeseen-error": 1, "requests_total,high,500": 1}


def test_a_response_that_broke_off() -> None:
    """The client got the status of the response, and not that of the error."""
    page = Page()
    record = of_level(PASS_THROUGH)
    record.status = 206
    publish(page.events.failed, Failed(SCOPE, TargetClosed(), True, record))
    assert page.counted()["requests_total,pass_through,206"] == 1


@pytest.mark.parametrize(("has_slot", "outcome"), [(False, "left"), (True, "started")])
def test_a_client_that_left(has_slot: bool, outcome: str) -> None:
    """It has waited until it left, or until it had a slot."""
    page = Page()
    publish(page.events.left, Left(SCOPE, of_level("low", has_slot=has_slot)))
    assert page.counted() == {
        "cancelled_total": 1,
        "requests_total,low,499": 1,
        f"queue_wait_seconds_count,low,{outcome}": 1,
    }


def test_a_second_attempt() -> None:
    """It is counted, and so is the fault of the target that it was made for."""
    page = Page()
    publish(page.events.retried, Retried(SCOPE, TargetClosed(), of_level("high")))
    publish(page.events.retried, Retried(SCOPE, RequestLost(), of_level("high")))
    assert page.counted() == {"retried_total": 2, "target_errors_total,target-closed": 1}


def test_the_state_of_the_queues() -> None:
    """The gauges have what the monitor saw last."""
    counted = Page(GatewayState(VIEW, 0.25)).counted()
    assert counted == {
        "event_loop_lag_seconds": 0.25,
        "queue_requests,high": 3,
        "queue_requests,low": 4,
        "queue_oldest_seconds,high": 0.5,
        "queue_oldest_seconds,low": 60,
        "in_flight,high": 2,
        "slots": 8,
        "slots_busy": 2,
        "workers": 1,
        "redis_round_trip_seconds": 0.001,
    }


def test_without_redis() -> None:
    """What is not known is left out; no old number is shown."""
    assert set(Page(GatewayState(None, 0.25)).counted()) == {"event_loop_lag_seconds"}


def test_each_metric_of_the_table_is_there() -> None:
    """The page has all metrics of the table, each of its kind and with its labels, and no others."""
    page = Page(GatewayState(VIEW, 0.25))
    record = of_level("high", has_slot=True, has_head=True)
    publish(page.events.answered, Answered(SCOPE, 200, record))
    publish_error(page.events, SCOPE, QueueFull(), record)
    publish_error(page.events, SCOPE, TargetClosed(), record)
    body, _ = page.metrics.page("")
    found = {
        (family.name, family.type, frozenset(family.samples[0].labels) - {"le"})
        for family in text_string_to_metric_families(body.decode())
        if not family.name.endswith("_created")
    }
    assert found == {(PREFIX + row.name.removesuffix("_total"), row.kind, frozenset(row.labels)) for row in METRICS}


def test_nothing_that_a_client_chooses_is_shown() -> None:
    """No path, no query and no address is on the page."""
    page = Page()
    publish(page.events.answered, Answered(SCOPE, 200, of_level("high")))
    body, _ = page.metrics.page("")
    assert b"secret" not in body
    assert b"192.0.2.7" not in body


@pytest.mark.parametrize(
    ("accept", "begins"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text; version=nonsense", "application/openmetrics-text"),
    ],
)
def test_the_format_that_the_client_accepts(accept: str, begins: str) -> None:
    """It is OpenMetrics for clients that accept it, which ends with a mark, else the text format of Prometheus."""
    body, content_type = Page().metrics.page(accept)
    assert content_type.startswith(begins)
    assert body.endswith(b"# EOF\n") == begins.startswith("application")


@pytest.mark.parametrize("seconds", [1, 7, 300, 604_800])
def test_buckets(seconds: float) -> None:
    """They rise, and the last one ends where the setting does."""
    buckets = buckets_up_to(seconds)
    assert buckets[-1] == seconds
    assert list(buckets) == sorted(set(buckets))


def test_waits_of_all_levels(tmp_path: Path) -> None:
    """The histogram of the queue reaches up to the longest time that a request of any level may wait."""
    file = tmp_path / "policy.toml"
    file.write_text('levels = ["high", "normal", "low"]\n[level.normal]\nttl = 7200\n')
    events, metrics = Events(), Metrics(Settings.load(policy_file=file, ttl=10), lambda: None)
    metrics.listen(events)
    publish(events.answered, Answered(SCOPE, 200, of_level("normal", has_slot=True)))
    assert b'queue_wait_seconds_bucket{le="7200.0",level="normal",outcome="started"} 1.0' in metrics.page("")[0]


@pytest.mark.parametrize("level", ["urgent", "normal", "l2"])
def test_other_levels(level: str) -> None:
    """Each level that a deployment has is a label, in what is counted and in the state of its queue."""
    name = Priority(level)
    view = VIEW._replace(waiting={**VIEW.waiting, name: 5}, oldest_seconds={name: 1.5}, in_flight={name: 6})
    page = Page(GatewayState(view, 0.0))
    publish(page.events.answered, Answered(SCOPE, 200, of_level(level)))
    found = page.samples()
    names = ("requests_total,{},200", "queue_requests,{}", "queue_oldest_seconds,{}", "in_flight,{}")
    assert [found[name.format(level)] for name in names] == [1, 5, 1.5, 6]


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for several processes that does not exist is one line that names the variable."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/not/there")
    with pytest.raises(ConfigurationError, match="PROMETHEUS_MULTIPROC_DIR=/not/there"):
        Page()
