"""The servers that are measured and their targets, each started for a block: nginx, HAProxy and our own stack."""

from benchmarks.systems.contenders import (
    ALL_CONTENDERS,
    DIRECT,
    HAPROXY,
    HAPROXY_ONE_THREAD,
    NGINX,
    PASS_THROUGH,
    QUEUE,
    QUEUE_ON_ALL_CORES,
    STOCK_WORKERS,
    WORKERS,
    WORKERS_ON_ALL_CORES,
    Contender,
    running_contenders,
)
from benchmarks.systems.gateway_stack import (
    GatewayStack,
    running_gateway_stack,
    running_gateways_with_slots,
    start_gateway,
)
from benchmarks.systems.haproxy import running_haproxy
from benchmarks.systems.nginx_proxy import running_nginx_proxy
from benchmarks.systems.nginx_target import NginxTarget, running_nginx_target
from benchmarks.systems.own_targets import running_streaming_target, running_traced_target
from benchmarks.systems.paths import PASS_THROUGH_PREFIX, PRIORITIES, QUEUE_PREFIX, Priority, path_of

__all__ = [
    "ALL_CONTENDERS",
    "DIRECT",
    "HAPROXY",
    "HAPROXY_ONE_THREAD",
    "NGINX",
    "PASS_THROUGH",
    "PASS_THROUGH_PREFIX",
    "PRIORITIES",
    "QUEUE",
    "QUEUE_ON_ALL_CORES",
    "QUEUE_PREFIX",
    "STOCK_WORKERS",
    "WORKERS",
    "WORKERS_ON_ALL_CORES",
    "Contender",
    "GatewayStack",
    "NginxTarget",
    "Priority",
    "path_of",
    "running_contenders",
    "running_gateway_stack",
    "running_gateways_with_slots",
    "running_haproxy",
    "running_nginx_proxy",
    "running_nginx_target",
    "running_streaming_target",
    "running_traced_target",
    "start_gateway",
]
