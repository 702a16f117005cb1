"""Part `request`: the stages of single requests through queue and pass-through, on an idle stack."""

from urllib.parse import urlsplit

from benchmarks.endpoints import send_traced_requests
from benchmarks.observation import (
    PASS_THROUGH_STAGES,
    QUEUE_STAGES,
    median_stages,
    monitored_commands,
    pass_through_stages,
    queue_stages,
    read_redis_events,
)
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import markdown_table, two_digits
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    PASS_THROUGH_PREFIX,
    QUEUE_PREFIX,
    path_of,
    running_gateway_stack,
    running_traced_target,
)

_SLOTS = 16
_WARM_UP_REQUESTS = 50
_QUEUE_PATH, _PASS_THROUGH_PATH = (path_of(prefix, "low", 0) for prefix in (QUEUE_PREFIX, PASS_THROUGH_PREFIX))


def measure_request(size: RunSize) -> Report:
    """Send requests one after the other, and report the median of each stage."""
    report = Report("request")
    with (
        captured_output() as output,
        running_traced_target(output) as target_url,
        running_gateway_stack(target_url, output, _SLOTS) as stack,
    ):
        url = urlsplit(stack.urls[0])
        address, count = (url.hostname or "", url.port or 80), size.traced_requests
        send_traced_requests(address, _QUEUE_PATH, _WARM_UP_REQUESTS)
        send_traced_requests(address, _PASS_THROUGH_PATH, _WARM_UP_REQUESTS)
        passed = [pass_through_stages(times) for times in send_traced_requests(address, _PASS_THROUGH_PATH, count)]
        with monitored_commands(stack.redis_socket) as monitored:
            requests = send_traced_requests(address, _QUEUE_PATH, count)
        events = read_redis_events("".join(monitored))
    queued = [stages for times in requests if (stages := queue_stages(times, events)) is not None]
    if len(queued) < len(requests) / 2:
        report.errors.append(f"request: only {len(queued)} of {len(requests)} queued requests were seen in Redis")
        return report
    _fill(report, "pass-through", PASS_THROUGH_STAGES, passed)
    _fill(report, "queue", QUEUE_STAGES, queued)
    return report


def _fill(report: Report, way: str, names: tuple[str, ...], stages: list[tuple[float, ...]]) -> None:
    medians = median_stages(stages)
    by_name = dict(zip(names, medians, strict=True))
    report.figures.append({"part": "request", "way": way, "stages": by_name, "requests": len(stages)})
    rows = [[name, two_digits(value)] for name, value in by_name.items()]
    rows.append(["together", two_digits(sum(medians))])
    heads = (f"{way}, one connection: median of {len(stages)}", "µs")
    report.tables[f"request-{way}"] = markdown_table(heads, rows)
    log_progress(f"request: {way}: {sum(medians):.0f} µs")
