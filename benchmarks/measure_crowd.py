"""Ten thousand clients that wait at one gateway: what each costs, and whether high still overtakes."""

import time
from urllib.parse import urlsplit

from redis import Redis

from benchmarks.bursts import send_bursts
from benchmarks.findings import Finding, Report, Spread, at_most, milliseconds, shown_only, table
from benchmarks.nginx import running_target
from benchmarks.ours import Stack, running_ours
from benchmarks.paths import QUEUE, path_of
from benchmarks.processes import resident_bytes
from benchmarks.recording import tell
from benchmarks.sizes import Sizes
from benchmarks.target_log import Service
from benchmarks.ways import measuring
from benchmarks.wrk import load, loading
from fast_priority.stack import wait_until
from loadtests.oracle import OrderResult, Verdict, judge_order
from loadtests.records import Arrival, RequestTrace, SentRequest

_SLOTS, _SERVICE_MS = 16, 200
_AT_ONCE, _BURSTS = 64, 3  # four times the slots: most wait for long enough that an inversion would be seen
_MOST_KIBIBYTES = 25.0
_FILL_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
_LOAD_SECONDS = 240
_KIBIBYTE = 1024


def measure_crowd(sizes: Sizes) -> Report:
    """Have a crowd wait with low requests, weigh the gateway, then send high ones."""
    report = Report("crowd")
    low = path_of(QUEUE, "low", _SERVICE_MS)
    with (
        measuring() as output,
        running_target(output, keeps_log=True) as target,
        running_ours(target.url, output, _SLOTS) as stack,
    ):
        load(stack.urls[0], [path_of(QUEUE, "low", 0)], 64, 1)  # what the first load costs is not the crowd's
        stack.wait_until_idle()
        target.forget()
        before, began = _weigh(stack), time.time()
        with loading(stack.urls[0], [low], sizes.crowd + _SLOTS, _LOAD_SECONDS):
            wait_until(f"{sizes.crowd} wait", lambda: (stack.waiting() or 0) >= 0.99 * sizes.crowd, _FILL_SECONDS)
            time.sleep(_SETTLE_SECONDS)
            waiting = stack.waiting() or 0
            after = _weigh(stack)
            where = urlsplit(stack.urls[0])
            high = send_bursts(
                where.hostname or "", where.port or 80, path_of(QUEUE, "high", _SERVICE_MS), _AT_ONCE, _BURSTS
            )
            order = judge_order(passages_of(high, target.services(), began))
    each = {name: (after[name] - before[name]) / _KIBIBYTE / waiting for name in after}
    _say(report, each, waiting, high, order)
    return report


def passages_of(high: list[SentRequest], services: list[Service], began: float) -> list[RequestTrace]:
    """Join what was sent with what arrived; the low ones of the crowd have all been sent when it began."""
    arrived = {service.uri: service for service in services}
    traces = [RequestTrace(one, _arrivals(arrived.get(one.request_id))) for one in high]
    for number, service in enumerate(services):
        if "/low/" in service.uri:
            sent = SentRequest(f"low {number}", "low", began, service.finished_at, "answered", service.status)
            traces.append(RequestTrace(sent, _arrivals(service)))
    return traces


def _arrivals(service: Service | None) -> tuple[Arrival, ...]:
    if service is None:
        return ()
    return (Arrival(service.uri, service.arrived_at, service.finished_at, service.status),)


def _weigh(stack: Stack) -> dict[str, int]:
    weights = {name: sum(map(resident_bytes, pids)) for name, pids in stack.processes.items()}
    with Redis(unix_socket_path=stack.redis_socket) as redis:
        return weights | {"Redis, used memory": redis.info("memory")["used_memory"]}


def _say(report: Report, each: dict[str, float], waiting: int, high: list[SentRequest], order: OrderResult) -> None:
    failed = sum(one.status != 200 for one in high)
    if failed:
        report.errors.append(f"crowd: {failed} high requests failed")
    waits = [1000 * (one.ended_at - one.sent_at) for one in high]
    report.findings = [
        at_most(
            f"{waiting:,} clients wait on one gateway: its memory for each of them",
            _MOST_KIBIBYTES,
            Spread.of([each["gateway"]]),
            "{:.1f} KiB".format,
        ),
        Finding(
            f"{len(high)} high requests meanwhile, {_AT_ONCE} at once",
            "0 inversions, and high overtakes",
            f"{len(order.inversions)} inversions, {len(order.overtakings)} overtook: {order.finding.verdict.name}",
            order.finding.verdict is Verdict.PROVED,
        ),
        shown_only("the wait of those high requests for their answers", Spread.of(waits), milliseconds),
    ]
    rows = [[name, f"{kibibytes:.1f}"] for name, kibibytes in each.items()]
    report.tables["memory"] = table(("memory for each waiting request", "KiB"), rows)
    report.raw.append({"part": "crowd", "waiting": waiting, "kibibytes_each": each, "high_waits_ms": waits,
                       "inversions": len(order.inversions), "overtakings": len(order.overtakings),
                       "verdict": order.finding.verdict.name})  # fmt: skip
    tell(f"crowd: {each['gateway']:.1f} KiB of the gateway for each of {waiting:,}; {order.finding.reason}")
