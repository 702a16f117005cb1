"""Part `crowd`: many clients wait at one gateway: the memory of each, and whether high requests still overtake."""

import time
from urllib.parse import urlsplit

from redis import Redis

from benchmarks.load import run_load, running_load, send_bursts
from benchmarks.observation import REDIS_DATA, ServedRequest, resident_bytes
from benchmarks.performance.report import Report
from benchmarks.performance.run_size import RunSize
from benchmarks.results import Finding, Spread, at_most, format_milliseconds, informational, markdown_table
from benchmarks.support import captured_output, log_progress
from benchmarks.systems import QUEUE_PREFIX, GatewayStack, path_of, running_gateways_with_slots, running_nginx_target
from fast_priority.local.child_processes import wait_until
from loadtests.oracle import OrderResult, Verdict, judge_order
from loadtests.records import Arrival, RequestTrace, SentRequest

_SLOTS, _SERVICE_MS = 16, 200
# Four times the slots: most of a burst waits long enough for an inversion to be seen.
_PER_BURST, _BURSTS = 64, 3
_MOST_KIBIBYTES = 25.0
_FILL_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
_LOAD_SECONDS = 240
_KIBIBYTE = 1024
_OK = 200


def measure_crowd(size: RunSize) -> Report:
    """Let many clients wait with low requests, read the memory, then send high requests."""
    report = Report("crowd")
    low = path_of(QUEUE_PREFIX, "low", _SERVICE_MS)
    with (
        captured_output() as output,
        running_nginx_target(output, with_log=True) as target,
        running_gateways_with_slots(target.url, output, _SLOTS) as stack,
    ):
        # A short load first: memory that any first load allocates is not counted.
        run_load(stack.urls[0], [path_of(QUEUE_PREFIX, "low", 0)], 64, 1)
        stack.wait_until_idle()
        target.clear_log()
        before, began = _memory_bytes(stack), time.time()
        clients = size.waiting_clients
        with running_load(stack.urls[0], [low], clients + _SLOTS, _LOAD_SECONDS):
            wait_until(f"{clients} requests wait", lambda: (stack.waiting() or 0) >= 0.99 * clients, _FILL_SECONDS)
            time.sleep(_SETTLE_SECONDS)
            waiting = stack.waiting() or 0
            after = _memory_bytes(stack)
            address = urlsplit(stack.urls[0])
            high_path = path_of(QUEUE_PREFIX, "high", _SERVICE_MS)
            high = send_bursts(address.hostname or "", address.port or 80, high_path, _PER_BURST, _BURSTS)
            order = judge_order(traces_of(high, target.read_log(), began))
    kibibytes = {name: (after[name] - before[name]) / _KIBIBYTE / waiting for name in after}
    _fill(report, kibibytes, waiting, high, order)
    return report


def traces_of(high: list[SentRequest], served: list[ServedRequest], began: float) -> list[RequestTrace]:
    """Join sent requests with their arrival at the target; all low ones count as sent when the load began."""
    by_uri = {request.uri: request for request in served}
    traces = [RequestTrace(one, _arrivals(by_uri.get(one.request_id))) for one in high]
    for number, request in enumerate(served):
        if "/low/" in request.uri:
            sent = SentRequest(f"low {number}", "low", began, request.finished_at, "answered", request.status)
            traces.append(RequestTrace(sent, _arrivals(request)))
    return traces


def _arrivals(request: ServedRequest | None) -> tuple[Arrival, ...]:
    if request is None:
        return ()
    return (Arrival(request.uri, request.arrived_at, request.finished_at, request.status),)


def _memory_bytes(stack: GatewayStack) -> dict[str, int]:
    resident = {name: sum(map(resident_bytes, pids)) for name, pids in stack.processes.items()}
    with Redis(unix_socket_path=stack.redis_socket) as redis:
        return resident | {REDIS_DATA: redis.info("memory")["used_memory"]}


def _fill(
    report: Report, kibibytes: dict[str, float], waiting: int, high: list[SentRequest], order: OrderResult
) -> None:
    failed = sum(one.status != _OK for one in high)
    if failed:
        report.errors.append(f"crowd: {failed} high requests failed")
    waits_ms = [1000 * (one.ended_at - one.sent_at) for one in high]
    report.findings = [
        at_most(
            f"{waiting:,} clients wait on one gateway: its memory for each of them",
            _MOST_KIBIBYTES,
            Spread.of([kibibytes["gateway"]]),
            "{:.1f} KiB".format,
        ),
        Finding(
            f"{len(high)} high requests meanwhile, {_PER_BURST} at once",
            "0 inversions, and high overtakes",
            f"{len(order.inversions)} inversions, {len(order.overtakings)} overtook: {order.finding.verdict.name}",
            order.finding.verdict is Verdict.PROVED,
        ),
        informational("the wait of those high requests for their answers", Spread.of(waits_ms), format_milliseconds),
    ]
    rows = [[name, f"{value:.1f}"] for name, value in kibibytes.items()]
    report.tables["memory"] = markdown_table(("memory for each waiting request", "KiB"), rows)
    report.figures.append({"part": "crowd", "waiting": waiting, "kibibytes_each": kibibytes, "high_waits_ms": waits_ms,
                           "inversions": len(order.inversions), "overtakings": len(order.overtakings),
                           "verdict": order.finding.verdict.name})  # fmt: skip
    gateway = f"{kibibytes['gateway']:.1f} KiB of the gateway for each of {waiting:,}"
    log_progress(f"crowd: {gateway}; {order.finding.reason}")
