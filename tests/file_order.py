"""The order in which the processes of a run take the files of tests. Pure.

Most long files wait for most of their time, and the unit tests compute all the time. So long files begin first, and
unit tests run beside them: then the processors always have something to do, and at the end no process is left with a
long file while the others have none.
"""

import math
from collections.abc import Iterable

LONGEST_FILES = (
    "acceptance/test_own_stack_check.py",
    "acceptance/test_oracle.py",
    "chaos/test_handshakes.py",
    "acceptance/test_documented_commands.py",
    "chaos/test_redis.py",
    "acceptance/test_ways_to_run.py",
    "acceptance/test_client_timeout.py",
    "acceptance/test_handshakes.py",
    "integration/loadtests/test_locust_scenarios.py",
    "chaos/test_gateways.py",
    "chaos/test_network.py",
    "acceptance/test_gateway_slots.py",
    "chaos/test_workers.py",
    "acceptance/test_bad_days.py",
    "acceptance/test_settings_in_force.py",
    "acceptance/test_killed_gateways.py",
    "integration/server/test_slow_clients.py",
    "integration/gateway/test_handshakes.py",
    "acceptance/test_releases.py",
    "chaos/test_clock.py",
    "acceptance/test_redis_settings.py",
    "acceptance/test_sentinel.py",
    "integration/gateway/test_embedded_middleware.py",
    "acceptance/test_failures.py",
    "acceptance/test_streaming.py",
    "acceptance/test_ordering.py",
    "acceptance/test_demo.py",
    "acceptance/test_rq_tools.py",
    "acceptance/test_hostile_redis.py",
    "integration/gateway/test_websockets.py",
    "acceptance/test_preserved_host.py",
    "chaos/test_failover.py",
    "integration/broker/test_refused_writes.py",
    "acceptance/test_httpbin.py",
    "acceptance/test_killed_parents.py",
    "integration/broker/test_lost_answers.py",
    "chaos/test_target.py",
    "fuzz/test_fuzz.py",
    "integration/broker/test_broker_machine.py",
    "acceptance/test_rolling_restart.py",
    "acceptance/test_target_tls.py",
    "acceptance/test_edge.py",
    "acceptance/test_edge_overload.py",
    "integration/gateway/test_mounted.py",
)
"""The files that take longest, below `tests/`, the longest first."""
_ALONE = 6
"""How many long files begin before the first unit tests: as many as there are processes."""
_COMPUTES = "unit/"


def in_order(files: Iterable[str]) -> list[str]:
    """Return the files, paths below `tests/`, in the order in which they are to begin."""
    given = list(dict.fromkeys(files))
    long = [file for file in LONGEST_FILES if file in given]
    computing = [file for file in given if file.startswith(_COMPUTES)]
    others = [file for file in given if file not in LONGEST_FILES and not file.startswith(_COMPUTES)]
    beside = math.ceil(len(computing) / max(1, len(long) - _ALONE))
    order = long[:_ALONE]
    for at, file in enumerate(long[_ALONE:]):
        order += [file, *computing[at * beside : (at + 1) * beside]]
    return [*order, *(computing if len(long) <= _ALONE else ()), *others]
