"""The effect of every setting of the gateway, seen from outside."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

import httpx
import pytest

from fast_priority.local.child_processes import gateway_process, wait_until_answers
from tests.harness import Background, Stack, exchange_bytes, free_port, problem_of, wait_until

LOW, HIGH = {"high": 0, "low": 1}, {"high": 1, "low": 0}


def queue_of(stack: Stack, path: str) -> dict[str, int]:
    """Send a request that no worker takes; return the number of waiting requests on each queue."""
    with Background(1) as background:
        answer = background.send(lambda: stack.client.get(path, timeout=20))
        wait_until("it waits or is answered", lambda: stack.queued() == 1 or answer.done())
        found: dict[str, int] = stack.health()["queue"]
        stack.processes["gateway"].kill()  # else the client would wait for an answer
        with suppress(httpx.HTTPError):
            answer.result()
    return found


@pytest.mark.parametrize(
    ("settings", "path", "expected"),
    [
        ({"PRIO_PATHS": "a,b/c"}, "/a", LOW),
        ({"PRIO_PATHS": "a,b/c"}, "/b/c/", LOW),
        ({"PRIO_PATHS": "/a/"}, "/a", LOW),
        ({"PRIO_PATHS": "a"}, "/a/b", HIGH),
        ({"PRIO_PATHS": "a", "HIGH_PRIO_PATHS": "unlisted"}, "/a", LOW),
        ({"PRIO_PATHS": "a", "HIGH_PRIO_PATHS": "listed"}, "/a", HIGH),
        ({"PRIO_PATHS": "a", "HIGH_PRIO_PATHS": "listed"}, "/other", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/reports/7?x=1", LOW),
        ({"PRIO_BASE_PATHS": "reports"}, "/other", HIGH),
        ({"PRIO_BASE_PATHS": "reports"}, "/reports-old", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/reports", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/reports-old", HIGH),
        ({"PRIO_PATHS": "/a", "NORMALIZE_PATHS": "off"}, "/a/", HIGH),
        ({"PRIO_PATHS": "/a", "NORMALIZE_PATHS": "0"}, "/a", LOW),
        ({"PRIO_PATHS": "a", "PATH_CASE": "ignore"}, "/A", LOW),
        ({"PRIO_PATHS": "a"}, "/A", HIGH),
        ({"PRIO_PATHS": "café"}, "/caf%C3%A9", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/%72eports/7", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/orders/..%2freports/7?x=1", LOW),
        ({"PRIO_BASE_PATHS": "reports/"}, "/orders/..;/reports/7", LOW),
        ({"PRIO_BASE_PATHS": "reports/", "PASS_THROUGH": "health"}, "/%68ealth", HIGH),
    ],
)
def test_the_path_decides_the_queue(stack: Stack, settings: dict[str, str], path: str, expected: object) -> None:
    """A request waits on the queue that the settings name for its path."""
    chosen = {"FAST_PRIORITY_PRIO_BASE_PATHS": ""}
    chosen |= {f"FAST_PRIORITY_{name}": value for name, value in settings.items()}
    stack.start_gateway(**chosen)
    assert queue_of(stack, path) == expected


def test_two_gateways_give_one_path_two_priorities(stack: Stack) -> None:
    """With `listed` and no lists, all requests of one gateway are low; those of another on the same Redis are high.

    A high request overtakes the low one on the same path that was queued first.
    """
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_PRIO_BASE_PATHS="")
    port = free_port()
    second = gateway_process(
        stack.mock_url, "127.0.0.1", port, stack.redis_port, FAST_PRIORITY_HIGH_PRIO_PATHS="listed"
    )
    wait_until_answers(stack.start(second), "second gateway", f"http://127.0.0.1:{port}/gateway_health/live")
    with Background(2) as background:
        low = background.send(
            lambda: httpx.post(f"http://127.0.0.1:{port}/model?from=low", timeout=20, trust_env=False)
        )
        wait_until("the low request waits", lambda: stack.health()["queue"] == LOW)
        high = background.send(lambda: stack.client.post("/model?from=high"))
        wait_until("both wait", lambda: stack.health()["queue"] == {"high": 1, "low": 1})
        stack.start_workers(concurrency=1)
        assert (low.result().status_code, high.result().status_code) == (200, 200)
    assert [arrival["query"] for arrival in stack.arrivals()] == ["from=high", "from=low"]


@pytest.mark.parametrize("path", ["/health", "/health/", "/docs", "/redoc", "/openapi.json"])
def test_pass_through_needs_no_worker(stack: Stack, path: str) -> None:
    """Requests for the target's documentation skip the queue, and by default those for health/."""
    stack.start_mock()
    stack.start_gateway()
    assert stack.client.get(path).status_code == 200


@pytest.mark.parametrize("query", ["", "?version=2"])
def test_the_targets_document_has_a_second_address(stack: Stack, query: str) -> None:
    """/target_openapi.json is answered with the target's /openapi.json, past the queue, for GET and HEAD only."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TTL="1")
    document = stack.client.get(f"/target_openapi.json{query}")
    assert document.content == stack.mock.get(f"/openapi.json{query}").content
    assert stack.client.head("/target_openapi.json").status_code == 200
    assert stack.client.post("/target_openapi.json").status_code == 503  # queued, and there is no worker


@pytest.mark.parametrize("path", ["/gateway_health/ready", "/gateway_health/live", "/gateway_docs"])
def test_a_check_with_options_is_answered(lasting_stack: Stack, path: str) -> None:
    """OPTIONS, with which load balancers check, has the status of GET on each of the gateway's own pages."""
    checked = exchange_bytes(lasting_stack.gateway_port, f"OPTIONS {path} HTTP/1.0\r\n\r\n".encode())
    assert checked.startswith(b"HTTP/1.1 200 ")
    assert b"allow: GET, HEAD, OPTIONS" in checked


def test_another_method_is_told_all_that_are_allowed(lasting_stack: Stack) -> None:
    """A method that a page does not know is answered 405, with every method that it knows."""
    refused = lasting_stack.client.post("/gateway_health")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_pass_through_paths_can_be_named(stack: Stack) -> None:
    """FAST_PRIORITY_PASS_THROUGH names the paths that skip the queue, and replaces the default."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="version,/a/b/", FAST_PRIORITY_TTL="1")
    answers = [stack.client.get(path).status_code for path in ("/version", "/a/b", "/health")]
    assert answers == [200, 200, 503]


def test_the_gateways_own_endpoints_can_be_moved(stack: Stack) -> None:
    """DOC_PATH, REDOC_PATH and HEALTH_PATH move the gateway's own endpoints; the old places are the target's."""
    stack.start_mock()
    paths = {"DOC_PATH": "my/docs", "REDOC_PATH": "/my/redoc/", "HEALTH_PATH": "my_health"}
    environment = {f"FAST_PRIORITY_{name}": value for name, value in paths.items()} | {"FAST_PRIORITY_TTL": "1"}
    process = stack.start(
        gateway_process(stack.mock_url, "127.0.0.1", stack.gateway_port, stack.redis_port, **environment)
    )
    wait_until_answers(process, "gateway", f"{stack.url}/my_health/live")
    assert "Swagger" in stack.client.get("/my/docs").text
    assert "ReDoc" in stack.client.get("/my/redoc").text
    assert "/gateway_openapi.json" in stack.client.get("/my/docs").text
    assert stack.client.get("/gateway_health").status_code == 503


def test_the_gateways_document_describes_its_own_endpoints_only(lasting_stack: Stack) -> None:
    """/gateway_openapi.json lists health and metrics, and /gateway_docs and /gateway_redoc load it."""
    document = lasting_stack.client.get("/gateway_openapi.json").json()
    assert sorted(document["paths"]) == [
        "/gateway_health",
        "/gateway_health/live",
        "/gateway_health/ready",
        "/gateway_metrics",
    ]
    for path in ("/gateway_docs", "/gateway_redoc"):
        assert "/gateway_openapi.json" in lasting_stack.client.get(path).text


def test_health_tells_what_is_there(lasting_stack: Stack) -> None:
    """The health endpoint answers with target, Redis, queues, workers and slots."""
    health = lasting_stack.health()
    assert health == {
        "status": "ok",
        "target_reachable": True,
        "target_problem": None,
        "redis_reachable": True,
        "redis_writable": True,
        "redis_problem": None,
        "queue": {"high": 0, "low": 0},
        "in_flight": 0,
        "workers": 1,
        "slots": 4,
        "suspended": False,
        "policy": None,
        "warnings": [],
    }
    assert lasting_stack.client.get("/gateway_health/ready").json() == {"ready": True, "reasons": []}


def test_health_tells_what_is_missing(stack: Stack) -> None:
    """Without target and workers the health endpoint still answers, and readiness says what is missing."""
    stack.start_gateway()
    health = stack.health()
    assert (health["status"], health["target_reachable"], health["workers"]) == ("degraded", False, 0)
    ready = stack.client.get("/gateway_health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert stack.client.get("/gateway_health/live").json() == {"status": "alive"}


def test_a_silent_redis_does_not_hold_up_health(stack: Stack) -> None:
    """If Redis and target accept connections and never answer, health answers within a client's timeout of 2 s."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = stack.start(gateway_process(stack.mock_url, "127.0.0.1", stack.gateway_port, port))
        wait_until_answers(process, "gateway", f"{stack.url}/gateway_health/live")
        health = stack.client.get("/gateway_health", timeout=2).json()
        refused = stack.client.get("/queued", timeout=4)
    assert health["redis_reachable"] is False
    assert problem_of(refused)["type"] == "urn:fast-priority:broker-unavailable"


def test_a_probe_finds_a_target_that_never_answers(stack: Stack) -> None:
    """With FAST_PRIORITY_TARGET_PROBE_PATH, a target that accepts connections and never answers is not reachable."""
    import socket

    with socket.create_server(("127.0.0.1", stack.mock_port)):
        stack.start_gateway(FAST_PRIORITY_TARGET_PROBE_PATH="/health")
        assert stack.client.get("/gateway_health", timeout=4).json()["target_reachable"] is False
    stack.start_mock()
    wait_until("the target is reachable", lambda: stack.health()["target_reachable"])


def test_a_base_path_in_the_target_is_joined_with_one_slash(stack: Stack) -> None:
    """FAST_PRIORITY_TARGET_BASE_URL may have a path; the request's path follows it after one slash."""
    stack.start_mock()
    stack.mock_url += "/api/v1/"
    stack.start_gateway()
    stack.start_workers()
    assert stack.client.get("/a%2Fb").json()["path"] == "/api/v1/a%2Fb"


def test_redis_asks_for_user_and_password(stack: Stack) -> None:
    """Gateway and workers log in to Redis with FAST_PRIORITY_REDIS_USER and _PASSWORD, which appear in no log."""
    stack.redis.execute_command("ACL", "SETUSER", "carrier", "on", ">a-secret-word", "~*", "&*", "+@all")
    stack.redis.execute_command("ACL", "SETUSER", "default", "off")
    credentials: dict[str, Any] = {
        "FAST_PRIORITY_REDIS_USER": "carrier",
        "FAST_PRIORITY_REDIS_PASSWORD": "a-secret-word",
    }
    from redis import Redis

    with Redis(port=stack.redis_port, username="carrier", password="a-secret-word") as admin:
        try:
            stack.start_mock()
            stack.start_gateway(**credentials)
            stack.start_workers(**credentials)
            assert stack.client.get("/queued").status_code == 200
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "on")
            admin.execute_command("ACL", "DELUSER", "carrier")
    said = "".join(path.read_text() for path in stack.logs.glob("*.log"))
    assert "a-secret-word" not in said


def test_without_a_target_the_gateway_says_so_in_one_line() -> None:
    """run-fast-priority without FAST_PRIORITY_TARGET_BASE_URL ends with one line that names it."""
    ended = subprocess.run([sys.executable, "-m", "fast_priority"], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "FAST_PRIORITY_TARGET_BASE_URL is not set" in line


@pytest.mark.parametrize("path", ["/gateway_health", "/gateway_health/live", "/gateway_health/ready"])
def test_health_may_be_asked_with_head(lasting_stack: Stack, path: str) -> None:
    """Load balancers that probe with HEAD get the status, and no body."""
    response = lasting_stack.client.head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_a_taken_port_is_said_in_one_line(stack: Stack) -> None:
    """A gateway whose port is taken names the variable and the remedy before it starts anything."""
    stack.start_mock()
    command = [sys.executable, "-m", "fast_priority", "gateway", "--target", stack.mock_url, "--host", "127.0.0.1"]
    ended = subprocess.run(
        [*command, "--port", str(stack.mock_port)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: FAST_PRIORITY_HOST='127.0.0.1' and FAST_PRIORITY_PORT=")
