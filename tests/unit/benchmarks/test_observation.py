"""What is read from the target's log, from Redis's MONITOR and from its slow log."""

import pytest

from benchmarks.endpoints import RequestTimes
from benchmarks.observation import (
    ServedRequest,
    busy_share,
    median_stages,
    pass_through_stages,
    queue_stages,
    read_redis_events,
    read_target_log,
    steady_span,
    worker_stages,
)
from benchmarks.observation.request_cost import script_name
from fast_priority.broker import scripts

MONITORED = """+OK
+1700000000.000100 [0 127.0.0.1:40000] "EVALSHA" "abc" "5" "rq:queue:high"
+1700000000.000105 [0 lua] "ZADD" "rq:wip:high" "1700000004" "0:e"
+1700000000.000110 [0 lua] "HSET" "rq:job:1" "status" "queued"
+1700000000.000120 [0 lua] "RPUSH" "rq:queue:low" "1"
+1700000000.000130 [0 lua] "HSET" "rq:job:1" "status" "started" "started_at" "now"
+1700000000.000170 [0 lua] "RPUSH" "rq:fast-priority:inbox:g" "frame"
"""


def test_the_targets_log_is_read_in_order_of_arrival() -> None:
    """nginx logs a request when it ends, with its duration."""
    requests = read_target_log(["10.300 0.100 200 /queue/low/100?7", "10.400 0.350 499 /queue/high/100"])
    assert [request.uri for request in requests] == ["/queue/high/100", "/queue/low/100?7"]
    assert requests[0].arrived_at == pytest.approx(10.05)
    assert requests[1].seconds == pytest.approx(0.1)


def test_slots_are_busy_while_the_target_serves_a_request() -> None:
    """Two slots for two seconds: one request of a second, and one of which half a second is in the span."""
    requests = [ServedRequest(9.0, 10.5, 200, "/"), ServedRequest(10.5, 11.5, 200, "/")]
    assert busy_share(requests, 2, 10.0, 12.0) == pytest.approx(1.5 / 4)


def test_begin_and_end_of_the_load_are_left_out() -> None:
    """The steady span begins after the first arrival and ends before the last."""
    requests = [ServedRequest(10.0, 10.1, 200, "/"), ServedRequest(15.0, 15.1, 200, "/")]
    assert steady_span(requests, 0.5) == (10.5, 14.5)


def test_the_events_of_a_request_in_redis_are_found() -> None:
    """Commands of scripts count; a client's command with the same keys does not."""
    assert [event for _, event in read_redis_events(MONITORED)] == ["leased", "submitted", "claimed", "published"]


def test_the_stages_of_a_queued_request_add_up() -> None:
    """Their sum is the time from sending the request to receiving its response."""
    times = RequestTimes(1700000000.0, 1700000000.00014, 1700000000.00015, 1700000000.0002)
    stages = worker_stages(times, read_redis_events(MONITORED))
    assert stages is not None
    assert stages == pytest.approx([120, 10, 10, 10, 20, 30], abs=1)
    assert sum(stages) == pytest.approx(200, abs=1)


def test_a_request_with_a_missing_event_has_no_stages() -> None:
    """It is left out, not estimated."""
    times = RequestTimes(1700000001.0, 1700000001.1, 1700000001.2, 1700000001.3)
    assert queue_stages(times, read_redis_events(MONITORED)) is None


def test_a_stage_is_the_median_over_requests() -> None:
    """Each stage has its own median."""
    requests = [RequestTimes(0.0, 0.001 * n, 0.001 * n + 0.0005, 0.01) for n in (1, 2, 3)]
    assert median_stages([pass_through_stages(times) for times in requests])[:2] == pytest.approx([2000, 500])


def test_a_script_is_known_by_its_digest() -> None:
    """Redis logs the digest of a script, not its name."""
    assert script_name([b"EVALSHA", scripts.ClaimCall.digest.encode(), b"7"]) == "claim"
    assert script_name([b"EVALSHA", b"0" * 40]) is None
    assert script_name([b"BLPOP", b"key", b"2"]) is None


def test_the_stages_of_a_request_with_a_slot_of_its_gateway() -> None:
    """They meet where Redis takes a slot for it; without that, there are none."""
    times = RequestTimes(1700000000.0, 1700000000.00014, 1700000000.00015, 1700000000.0002)
    assert queue_stages(times, read_redis_events(MONITORED)) == pytest.approx([105, 35, 10, 50], abs=1)
    assert queue_stages(times, []) is None
