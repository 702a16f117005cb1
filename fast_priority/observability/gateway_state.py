"""The gauges: what a gateway sees of the queues and of itself at the moment. Reading them asks Redis nothing."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fast_priority.broker.monitor import QueueView
from fast_priority.observability.metric_table import PREFIX, metric
from fast_priority.support.installed_versions import own_version


class GatewayState(NamedTuple):
    """What is known without asking anybody."""

    view: QueueView | None
    """What the monitor saw last; None while Redis does not answer."""
    loop_lag_seconds: float


class StateCollector(Collector):
    """Yields the gauges whenever the page of the metrics is read. What is unknown is left out."""

    def __init__(self, state_now: Callable[[], GatewayState | None]) -> None:
        self._state_now = state_now

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: no metric is to be computed when this is registered."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        yield _gauge("build_info", {(own_version(),): 1})
        state = self._state_now()
        if state is None:
            return
        yield _gauge("event_loop_lag_seconds", {(): state.loop_lag_seconds})
        if (view := state.view) is None:
            return
        yield _gauge("queue_requests", {(level.value,): number for level, number in view.waiting.items()})
        yield _gauge("queue_oldest_seconds", {(level.value,): age for level, age in view.oldest_seconds.items()})
        yield _gauge("in_flight", {(level.value,): number for level, number in view.in_flight.items()})
        yield _gauge("slots", {(): view.slots})
        yield _gauge("slots_busy", {(): view.started})
        yield _gauge("workers", {(): view.workers})
        yield _gauge("redis_round_trip_seconds", {(): view.round_trip_seconds})


def _gauge(name: str, values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    row = metric(name)
    family = GaugeMetricFamily(PREFIX + name, row.meaning, labels=row.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
