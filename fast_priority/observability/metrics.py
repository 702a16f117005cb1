"""The metrics of one gateway process: counters and histograms of its requests, which listen to its events.

Several processes on one port share a folder of prometheus-client (PROMETHEUS_MULTIPROC_DIR), which `standalone` makes.
Each of them then answers for all. Gauges are read when they are asked for: see `gateway_state`.
"""

import bisect
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as openmetrics

from fast_priority.errors import ConfigurationError, GatewayError, UnforeseenError
from fast_priority.events import (
    Answered,
    Events,
    Failed,
    Left,
    Received,
    Refused,
    RequestRecord,
    Retried,
)
from fast_priority.observability.gateway_state import GatewayState, StateCollector
from fast_priority.observability.metric_table import PREFIX, metric
from fast_priority.settings import Settings

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of prometheus-client: the folder that several processes share."""
_CLIENT_LEFT = "499"
_STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text"


def buckets_up_to(seconds: float) -> tuple[float, ...]:
    """Return the ends of the buckets of a histogram: the last one is this."""
    return (*_STEPS[: bisect.bisect_left(_STEPS, seconds)], seconds)


class Metrics:
    """Counts what happens to requests. `state_now` is called for each page; None while there is no state."""

    def __init__(self, settings: Settings, state_now: Callable[[], GatewayState | None]) -> None:
        self._registry = CollectorRegistry()
        own: CollectorRegistry | None = self._registry
        if folder := os.environ.get(SHARED_FOLDER):  # prometheus-client reads it as well, when it is imported
            if not Path(folder).is_dir():
                raise ConfigurationError(
                    f"{SHARED_FOLDER}={folder} cannot be used: it is no folder: make it, or unset it"
                )
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
            own = None
        self._registry.register(StateCollector(state_now))
        waits, calls = buckets_up_to(settings.level_table().longest_ttl_seconds), buckets_up_to(settings.timeout)
        self._received = _counter("received_total", own)
        # To look up a series by its labels costs more than to count in it. There are few: no label is free text.
        self._requests = cache(_counter("requests_total", own).labels)
        self._failures = cache(_counter("failed_total", own).labels)
        self._refusals = cache(_counter("refused_total", own).labels)
        self._retries = _counter("retried_total", own)
        self._cancelled = _counter("cancelled_total", own)
        self._target_errors = cache(_counter("target_errors_total", own).labels)
        self._waits = cache(_histogram("queue_wait_seconds", own, waits).labels)
        self._calls = cache(_histogram("target_seconds", own, calls).labels)

    def listen(self, events: Events) -> None:
        """Subscribe to all that is counted."""
        events.subscribe(Received, lambda _: self._received.inc())
        events.subscribe(Retried, self._note_retried)
        events.subscribe(Answered, self._note_answered)
        events.subscribe(Refused, self._note_refused)
        events.subscribe(Failed, self._note_failed)
        events.subscribe(Left, self._note_left)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their Content-Type: OpenMetrics for a client that accepts it, else Prometheus text."""
        if _OPENMETRICS in accept.lower():
            return openmetrics.generate_latest(self._registry), openmetrics.CONTENT_TYPE_LATEST  # type: ignore[no-untyped-call]
        return generate_latest(self._registry), _TEXT

    def _note_retried(self, event: Retried) -> None:
        self._retries.inc()
        self._note_target_error(event.error)

    def _note_answered(self, event: Answered) -> None:
        record = event.record
        self._end(record, str(event.status), "started")
        if record.is_of_target and record.target_until is not None:
            self._calls(record.level, "body").observe(record.ended_at() - record.target_until)

    def _note_refused(self, event: Refused) -> None:
        self._refusals(event.record.level, event.error.slug).inc()
        self._end(event.record, str(event.error.status), "refused")

    def _note_failed(self, event: Failed) -> None:
        error = event.error if isinstance(event.error, GatewayError) else UnforeseenError()
        self._failures(event.record.level, error.slug).inc()
        self._note_target_error(error)
        self._end(event.record, str(event.record.status if event.is_broken_off else error.status), "failed")

    def _note_left(self, event: Left) -> None:
        self._cancelled.inc()
        self._end(event.record, _CLIENT_LEFT, "left")

    def _note_target_error(self, error: GatewayError) -> None:
        if error.fault == "target":
            self._target_errors(error.slug).inc()

    def _end(self, record: RequestRecord, code: str, outcome: str) -> None:
        level = record.level
        self._requests(level, code).inc()
        waited_seconds = record.queue_seconds
        if waited_seconds is None and outcome == "left" and record.is_queued and not record.has_slot:
            waited_seconds = record.ended_at() - record.received_at
        if waited_seconds is not None:
            self._waits(level, "started" if record.has_slot else outcome).observe(waited_seconds)
        if record.target_seconds is not None:
            self._calls(level, "head").observe(record.target_seconds)


def _counter(name: str, registry: CollectorRegistry | None) -> Counter:
    row = metric(name)
    return Counter(PREFIX + name, row.meaning, row.labels, registry=registry)


def _histogram(name: str, registry: CollectorRegistry | None, buckets: tuple[float, ...]) -> Histogram:
    row = metric(name)
    return Histogram(PREFIX + name, row.meaning, row.labels, registry=registry, buckets=buckets)
