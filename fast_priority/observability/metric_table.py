"""The table of the metrics: name, kind, labels and meaning of each. Pure.

No label has a value that a client chooses: a path or an address would make a new time series for each. Levels are
those of the queues, `pass_through`, and `none` for a request that has no level yet.
"""

from typing import Literal, NamedTuple

PREFIX = "fast_priority_"
REQUEST, QUEUE, PROCESS = "all processes on the port", "the whole deployment", "the process that answers"


class Metric(NamedTuple):
    """One metric. Its name is without the prefix."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    labels: tuple[str, ...]
    meaning: str
    scope: str
    """What it counts: the requests of all gateway processes on this port, what Redis has, or one process."""


METRICS = (
    Metric("received_total", "counter", (), "Requests whose head was read.", REQUEST),
    Metric(
        "requests_total",
        "counter",
        ("level", "code"),
        "Requests that have ended, by the status that the client got; 499: it had left.",
        REQUEST,
    ),
    Metric("failed_total", "counter", ("level", "reason"), "Requests without a whole response, by the error.", REQUEST),
    Metric(
        "refused_total",
        "counter",
        ("level", "reason"),
        "Requests that were not taken, by the error.",
        REQUEST,
    ),
    Metric("retried_total", "counter", (), "Second attempts.", REQUEST),
    Metric("cancelled_total", "counter", (), "Requests whose client left before it had its response.", REQUEST),
    Metric(
        "target_errors_total",
        "counter",
        ("kind",),
        "Attempts that failed because of the target, by the error; second attempts count, too.",
        REQUEST,
    ),
    Metric(
        "queue_wait_seconds",
        "histogram",
        ("level", "outcome"),
        "How long requests waited, those that started at once included. Outcome: started, refused, failed, or left.",
        REQUEST,
    ),
    Metric(
        "target_seconds",
        "histogram",
        ("level", "part"),
        "How long the target took. Part: head, until the response's head or an error; body, from there to its end.",
        REQUEST,
    ),
    Metric("queue_requests", "gauge", ("level",), "Requests that wait.", QUEUE),
    Metric(
        "queue_oldest_seconds",
        "gauge",
        ("level",),
        "How long the oldest of the first 64 waiting requests has waited; 0 if none waits.",
        QUEUE,
    ),
    Metric("in_flight", "gauge", ("level",), "Requests that have a slot.", QUEUE),
    Metric("slots", "gauge", (), "Slots of all workers and of all gateways with slots.", QUEUE),
    Metric("slots_busy", "gauge", (), "Slots that are taken.", QUEUE),
    Metric("workers", "gauge", (), "Live worker processes, and live gateways with slots.", QUEUE),
    Metric("redis_round_trip_seconds", "gauge", (), "How long Redis took to answer the last look at it.", PROCESS),
    Metric("event_loop_lag_seconds", "gauge", (), "The longest delay of a timer in the last 15 to 30 s.", PROCESS),
    Metric("build_info", "gauge", ("version",), "Always 1; the label has the version of this package.", PROCESS),
)


def metric(name: str) -> Metric:
    """Return the metric of this name."""
    return next(one for one in METRICS if one.name == name)
