"""`requests` gets the same from httpbin through the gateway as directly.

The traffic is of the kinds that requests' own tests are made of; the tables are in httpbin_requests.py and
httpbin_responses.py, and what two ways may have different is in httpbin_asking.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fast_priority.local.child_processes import ChildProcess, gateway_process, wait_until_answers
from tests.acceptance.httpbin_asking import Case, Seen, differences, see
from tests.acceptance.httpbin_requests import REQUESTS
from tests.acceptance.httpbin_responses import RESPONSES
from tests.harness import Stack, free_port, running_stack

CASES = [*REQUESTS, *RESPONSES]
WAYS = ["queue", "pass-through"]
_SLOTS = 32  # a client that leaves does not free its slot at once


@dataclass
class Ways:
    """httpbin, two ways to it, and its direct responses."""

    target_url: str
    direct: dict[str, Seen]
    urls: dict[str, str]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    from tests.redis_servers import loopback_redis

    with loopback_redis() as port, running_stack(port, tmp_path_factory.mktemp("httpbin")) as stack:
        server = stack.start(ChildProcess("httpbin", ("tests/doubles/httpbin_server.py", str(stack.mock_port)), {}))
        wait_until_answers(server, "httpbin", f"{stack.mock_url}/get")
        direct = {case.name: see(case, stack.mock_url, stack.mock_url) for case in CASES}
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH=",")
        stack.start_workers(concurrency=_SLOTS)
        # Each path is named in the settings; the direct run before has found them.
        passed = {path for seen in direct.values() for path in seen.paths}
        yield Ways(stack.mock_url, direct, {"queue": stack.url, "pass-through": _start_passing(stack, passed)})


def _start_passing(stack: Stack, paths: set[str]) -> str:
    """Start a gateway that has no Redis and passes these paths through; return its URL."""
    port, no_redis = free_port(), free_port()
    environment = {"FAST_PRIORITY_PASS_THROUGH": ",".join(sorted(paths)), "FAST_PRIORITY_NORMALIZE_PATHS": "false"}
    gateway = stack.start(gateway_process(stack.mock_url, "127.0.0.1", port, no_redis, **environment))
    url = f"http://127.0.0.1:{port}"
    wait_until_answers(gateway, "gateway", f"{url}/gateway_health/live")
    return url


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_httpbin_answers_as_the_table_says(ways: Ways, case: Case) -> None:
    """Each case gets the status that it states from httpbin itself."""
    assert ways.direct[case.name].statuses == [ask.status for ask in case.asks]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_cannot_tell_the_gateway_from_the_target(ways: Ways, case: Case, way: str) -> None:
    """Status, reason, fields, cookies, body and history are the same as without a gateway."""
    found = differences(ways.direct[case.name], see(case, ways.urls[way], ways.target_url))
    assert not found, "\n".join(found)


def test_no_case_hides_behind_another() -> None:
    """Every case has a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES)
