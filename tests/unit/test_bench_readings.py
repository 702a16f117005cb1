"""What the measurements read: wrk's result, the target's log, Redis's own writing-down; and where they write to."""

import pytest

from benchmarks.findings import Report, Spread, at_least, times
from benchmarks.page import blocks_of, fill, merge
from benchmarks.recording import record
from benchmarks.target_log import Service, busy_share, read_services, steady_span
from benchmarks.timeline import Trip, median_stages, passed_stages, queued_stages, read_moments
from benchmarks.use import script_of
from benchmarks.wrk import Loaded, read_result
from fast_priority.broker import scripts
from fast_priority.errors import ConfigurationError

MONITORED = """+OK
+1700000000.000100 [0 127.0.0.1:40000] "EVALSHA" "abc" "5" "rq:queue:high"
+1700000000.000110 [0 lua] "HSET" "rq:job:1" "status" "queued"
+1700000000.000120 [0 lua] "RPUSH" "rq:queue:low" "1"
+1700000000.000130 [0 lua] "HSET" "rq:job:1" "status" "started" "started_at" "now"
+1700000000.000170 [0 lua] "RPUSH" "rq:fast-priority:inbox:g" "frame"
"""


def test_a_result_of_wrk_is_read() -> None:
    """Times come in microseconds, and are given in milliseconds and seconds."""
    said = 'Running 2s test\n{"requests": 1000, "microseconds": 2000000, "errors": 0, "p50": 1500, "p99": 9000}\n'
    assert read_result(said) == Loaded(1000, 2.0, 0, 1.5, 9.0)
    assert read_result(said).per_second == 500


def test_a_wrk_that_failed_says_why() -> None:
    """Without a result, what it wrote is the error."""
    with pytest.raises(ConfigurationError, match="unable to connect"):
        read_result("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_figure_with_errors_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept among the raw figures as it was, the report tells of it, and no ratio is made of it."""
    report = Report("ways")
    seen = record(report, Loaded(1000, 2.0, 3, 1.5, 9.0), way="our queue", round=0)
    assert Spread.of([seen.per_second, seen.median_ms, seen.p99_ms]).values == ()
    assert report.raw[0]["requests"] == 1000
    assert "3 requests failed" in report.errors[0]
    assert "our queue" in capsys.readouterr().err


def test_the_targets_log_is_read_in_order_of_arrival() -> None:
    """nginx writes a request down as it ends, and how long it took."""
    services = read_services(["10.300 0.100 200 /queue/low/100?7", "10.400 0.350 499 /queue/high/100"])
    assert [service.uri for service in services] == ["/queue/high/100", "/queue/low/100?7"]
    assert services[0].arrived_at == pytest.approx(10.05)
    assert services[1].seconds == pytest.approx(0.1)


def test_slots_are_busy_while_the_target_has_something() -> None:
    """Two slots over two seconds, one request of a second and one that reaches into the span for half of one."""
    services = [Service(9.0, 10.5, 200, "/"), Service(10.5, 11.5, 200, "/")]
    assert busy_share(services, 2, 10.0, 12.0) == pytest.approx(1.5 / 4)


def test_filling_and_emptying_are_left_out() -> None:
    """The steady span begins after the first arrival and ends before the last."""
    services = [Service(10.0, 10.1, 200, "/"), Service(15.0, 15.1, 200, "/")]
    assert steady_span(services, 0.5) == (10.5, 14.5)


def test_the_moments_of_a_request_in_redis_are_found() -> None:
    """Queued, claimed and said: what scripts did, and not what merely named the same keys."""
    assert [what for _, what in read_moments(MONITORED)] == ["submitted", "claimed", "said"]


def test_the_stages_of_a_queued_request_add_up() -> None:
    """From sending to answer no time is lost or counted twice."""
    trip = Trip(1700000000.0, 1700000000.00014, 1700000000.00015, 1700000000.0002)
    stages = queued_stages(trip, read_moments(MONITORED))
    assert stages is not None
    assert stages == pytest.approx([120, 10, 10, 10, 20, 30], abs=1)
    assert sum(stages) == pytest.approx(200, abs=1)


def test_a_request_that_redis_tells_too_little_of_has_no_stages() -> None:
    """It is left out, and not guessed at."""
    assert queued_stages(Trip(1700000001.0, 1700000001.1, 1700000001.2, 1700000001.3), read_moments(MONITORED)) is None


def test_a_stage_is_the_median_over_requests() -> None:
    """Each stage has its own."""
    trips = [Trip(0.0, 0.001 * n, 0.001 * n + 0.0005, 0.01) for n in (1, 2, 3)]
    assert median_stages([passed_stages(trip) for trip in trips])[:2] == pytest.approx([2000, 500])


def test_a_script_is_known_by_its_digest() -> None:
    """What Redis writes down of a call names none of our scripts; the digest does."""
    assert script_of([b"EVALSHA", scripts.ClaimCall.digest.encode(), b"7"]) == "claim"
    assert script_of([b"EVALSHA", b"0" * 40]) is None
    assert script_of([b"BLPOP", b"key", b"2"]) is None


def test_a_block_is_filled_between_its_marks() -> None:
    """What stands around it stays; what the run has not measured stays too."""
    page = "# Page\n<!-- a -->\nold\n<!-- /a -->\nprose\n<!-- b -->\nkept\n<!-- /b -->\n"
    assert fill(page, {"a": r"new \1", "c": "nowhere"}) == page.replace("old", r"new \1")


def test_every_part_has_its_findings_in_a_block_of_its_own() -> None:
    """So that one part can be measured anew without the others."""
    report = Report("idle", [at_least("x", 1, Spread.of([2.0]), times)], {"idle": "| table |"})
    blocks = blocks_of([report, Report("ways")], "a machine")
    assert sorted(blocks) == ["findings-idle", "idle", "machine"]


def test_figures_of_other_parts_are_kept() -> None:
    """A part that was measured anew replaces its own figures alone."""
    new = Report("idle", raw=[{"part": "idle", "round": 1}])
    merged = merge([{"part": "idle", "round": 0}, {"part": "ways", "round": 0}], [new])
    assert merged == [{"part": "ways", "round": 0}, {"part": "idle", "round": 1}]
