"""The parts of docs/evidence/performance.md, in their order: each can be measured alone."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.performance.bound import measure_bound
from benchmarks.performance.busy import measure_busy
from benchmarks.performance.connections import measure_connections
from benchmarks.performance.cores import measure_cores
from benchmarks.performance.costs import measure_costs
from benchmarks.performance.crowd import measure_crowd
from benchmarks.performance.depth import measure_depth
from benchmarks.performance.free import measure_free
from benchmarks.performance.idle import measure_idle
from benchmarks.performance.machine import measure_machine
from benchmarks.performance.one_core import measure_one_core
from benchmarks.performance.peers import measure_peers
from benchmarks.performance.report import Report
from benchmarks.performance.request import measure_request
from benchmarks.performance.run_size import RunSize
from benchmarks.performance.tokens import measure_tokens
from benchmarks.performance.ways import measure_ways


@dataclass(frozen=True, slots=True)
class Part:
    """One part: how it is measured, and one line about it."""

    measure: Callable[[RunSize], Report]
    summary: str


PARTS = {
    "machine": Part(measure_machine, "what a switch between processes and a round trip to Redis cost here"),
    "ways": Part(measure_ways, "all contenders, over connections and service times"),
    "bound": Part(measure_bound, "throughput and waits beside HAProxy, where slots are the limit"),
    "free": Part(measure_free, "requests per second beside HAProxy and stock rq workers; the target answers at once"),
    "idle": Part(measure_idle, "latency on one connection, beside our pass-through; CPU without load"),
    "one-core": Part(measure_one_core, "`idle`, `bound` and `free` with everything bound to one core"),
    "tokens": Part(measure_tokens, "CPU for each event of 64 streams, beside our pass-through"),
    "connections": Part(measure_connections, "delay of a high request right behind 480 new clients"),
    "busy": Part(measure_busy, "share of time in which slots are busy while requests wait"),
    "peers": Part(measure_peers, "a chat completion through HAProxy, nginx, ours, and other gateways in Python"),
    "depth": Part(measure_depth, "cost per request with 100 and with 10,000 requests queued"),
    "crowd": Part(measure_crowd, "memory of 10,000 waiting clients, and whether high requests overtake them"),
    "cores": Part(measure_cores, "two processes of each kind, beside one"),
    "costs": Part(measure_costs, "CPU time per request of each process, the work of Redis, start-up times"),
    "request": Part(measure_request, "the stages of single requests"),
}
