"""Part `request`: the stages of single requests through queue and pass-through, on idle stacks."""

from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks.endpoints import RequestTimes, send_traced_requests
from benchmarks.observation import (
    PASS_THROUGH_STAGES,
    QUEUE_STAGES,
    WORKER_STAGES,
    median_stages,
    monitored_commands,
    pass_through_stages,
    queue_stages,
    read_redis_events,
    worker_stages,
)
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import markdown_table, two_digits
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import (
    PASS_THROUGH_PREFIX,
    QUEUE_PREFIX,
    GatewayStack,
    path_of,
    running_gateway_stack,
    running_gateways_with_slots,
    running_traced_target,
)

_SLOTS = 16
_WARM_UP_REQUESTS = 50
_QUEUE_PATH, _PASS_THROUGH_PATH = (path_of(prefix, "low", 0) for prefix in (QUEUE_PREFIX, PASS_THROUGH_PREFIX))
StagesOf = Callable[[RequestTimes, list[tuple[float, str]]], tuple[float, ...] | None]


def measure_request(size: RunSize) -> Report:
    """Send requests one after the other, and report the median of each stage."""
    report = Report("request")
    with captured_output() as output, running_traced_target(output) as target_url:
        with running_gateway_stack(target_url, output, _SLOTS) as stack:
            _measure(report, stack, size.traced_requests, "queue, workers", WORKER_STAGES, worker_stages)
        with running_gateways_with_slots(target_url, output, _SLOTS) as stack:
            _measure(report, stack, size.traced_requests, "queue, slots in the gateway", QUEUE_STAGES, queue_stages)
            address = _address_of(stack)
            send_traced_requests(address, _PASS_THROUGH_PATH, _WARM_UP_REQUESTS)
            passed = send_traced_requests(address, _PASS_THROUGH_PATH, size.traced_requests)
            _fill(report, "pass-through", PASS_THROUGH_STAGES, [pass_through_stages(times) for times in passed])
    return report


def _measure(
    report: Report, stack: GatewayStack, count: int, way: str, names: tuple[str, ...], stages_of: StagesOf
) -> None:
    """Send requests through the queue of a stack, and add their stages to the report."""
    address = _address_of(stack)
    send_traced_requests(address, _QUEUE_PATH, _WARM_UP_REQUESTS)
    with monitored_commands(stack.redis_socket) as monitored:
        requests = send_traced_requests(address, _QUEUE_PATH, count)
    events = read_redis_events("".join(monitored))
    queued = [stages for times in requests if (stages := stages_of(times, events)) is not None]
    if len(queued) < len(requests) / 2:
        report.errors.append(f"request: {way}: only {len(queued)} of {len(requests)} requests were seen in Redis")
        return
    _fill(report, way, names, queued)


def _address_of(stack: GatewayStack) -> tuple[str, int]:
    url = urlsplit(stack.urls[0])
    return url.hostname or "", url.port or 80


def _fill(report: Report, way: str, names: tuple[str, ...], stages: list[tuple[float, ...]]) -> None:
    medians = median_stages(stages)
    by_name = dict(zip(names, medians, strict=True))
    report.figures.append({"part": "request", "way": way, "stages": by_name, "requests": len(stages)})
    rows = [[name, two_digits(value)] for name, value in by_name.items()]
    rows.append(["together", two_digits(sum(medians))])
    heads = (f"{way}, one connection: median of {len(stages)}", "µs")
    report.tables[f"request-{way.rpartition(', ')[2].replace(' ', '-')}"] = markdown_table(heads, rows)
    log_progress(f"request: {way}: {sum(medians):.0f} µs")
