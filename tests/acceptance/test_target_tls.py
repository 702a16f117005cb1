"""A target with TLS that demands a client certificate: each way to it uses the files of the settings."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fast_priority.local.child_processes import ChildProcess, gateway_process, wait_until_answers
from tests.harness import Stack, free_port, problem_of, wait_until
from tests.redis_servers import Certificates
from tests.tls_terminator import tls_in_front_of


class Files:
    """Certificates of the target and of its clients, as variables."""

    def __init__(self, directory: Path) -> None:
        self.certificates = made = Certificates(directory)
        self.variables = {
            "FAST_PRIORITY_TARGET_TLS_CA": str(made.ca),
            "FAST_PRIORITY_TARGET_TLS_CERT": str(made.cert),
            "FAST_PRIORITY_TARGET_TLS_KEY": str(made.key),
        }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def tls_stack(stack: Stack, files: Files) -> Iterator[Stack]:
    """A gateway in front of a target with TLS, and no workers."""
    tls_port, made = free_port(), files.certificates
    stack.start_mock()
    with tls_in_front_of(stack.mock_port, tls_port, ca=made.ca, cert=made.cert, key=made.key):
        url = stack.mock_url = f"https://127.0.0.1:{tls_port}"
        variables = {**files.variables, "FAST_PRIORITY_PASS_THROUGH": "direct"}
        gateway = gateway_process(url, "127.0.0.1", stack.gateway_port, stack.redis_port, **variables)
        wait_until_answers(stack.start(gateway), "gateway", f"{stack.url}/gateway_health/live", 60)
        yield stack
        for name in list(stack.processes):
            stack.processes[name].terminate()
            stack.processes[name].wait(30)


def start_stock_worker(stack: Stack, **environment: str) -> None:
    variables = {"RQ_REDIS_URL": f"redis://127.0.0.1:{stack.redis_port}", **environment}
    stack.start(ChildProcess("stock worker", ("-m", "rq.cli", "worker", "high", "low"), variables))
    wait_until("the stock worker is there", lambda: stack.health()["workers"] == 1)


def test_gateway_and_workers_use_the_files(tls_stack: Stack, files: Files) -> None:
    """Requests past the queue, queued ones and the look of health present the certificate."""
    tls_stack.start_workers(1, 4, **files.variables)
    assert tls_stack.client.get("/direct").status_code == 200
    assert tls_stack.client.get("/queued").status_code == 200
    health = tls_stack.health()
    assert (health["status"], health["target_problem"]) == ("ok", None)


def test_a_stock_worker_uses_the_files(tls_stack: Stack, files: Files) -> None:
    """`rq worker high low` with the same variables presents the certificate."""
    start_stock_worker(tls_stack, **files.variables)
    assert tls_stack.client.get("/queued").status_code == 200


def test_the_reason_is_in_log_and_response(tls_stack: Stack, files: Files) -> None:
    """A worker without the files gets a 502 for its request, with the reason in words, and so does the log."""
    start_stock_worker(tls_stack)
    answer = tls_stack.client.get("/queued")
    words = "its certificate is of an authority that is not trusted (FAST_PRIORITY_TARGET_TLS_CA)"
    assert (answer.status_code, problem_of(answer)["detail"]) == (502, words)
    logs = "".join(path.read_text() for path in tls_stack.logs.glob("gateway-*.log"))
    assert words in logs
    for path in files.variables.values():
        assert path not in answer.text
        assert path not in str(answer.headers)


def test_a_worker_without_the_files_is_named(tls_stack: Stack) -> None:
    """If one worker cannot connect to the target, its log and the warnings of health name worker and reason."""
    tls_stack.start_workers(1, 1)
    assert tls_stack.client.get("/queued").status_code == 502
    wait_until("health names it", lambda: len(tls_stack.health()["warnings"]) == 1)
    (warning,) = tls_stack.health()["warnings"]
    assert warning.startswith(f"it could not connect to {tls_stack.mock_url}: its certificate is of an authority")
    assert "(said by worker " in warning
    logs = "".join(path.read_text() for path in tls_stack.logs.glob("workers-*.log"))
    assert logs.count("it could not connect to") == 1


def test_a_stock_worker_whose_files_are_missing_answers(tls_stack: Stack, tmp_path: Path) -> None:
    """Settings that cannot be used at a stock worker end a request with 500 at once, and the worker's log says why."""
    start_stock_worker(tls_stack, FAST_PRIORITY_TARGET_TLS_CA=str(tmp_path / "missing.pem"))
    answer = tls_stack.client.post("/queued")
    assert (answer.status_code, problem_of(answer)["detail"]) == (500, "the worker failed; its log says how")
    logs = "".join(path.read_text() for path in tls_stack.logs.glob("stock worker-*.log"))
    assert "FAST_PRIORITY_TARGET_TLS_CA=" in logs


def test_health_has_the_reason(stack: Stack, tmp_path: Path) -> None:
    """The health page tells why the target is not reachable."""
    made, tls_port = Certificates(tmp_path), free_port()
    with tls_in_front_of(free_port(), tls_port, ca=made.ca, cert=made.elsewhere_cert, key=made.elsewhere_key):
        variables = {"FAST_PRIORITY_TARGET_TLS_CA": str(made.ca)}
        url = f"https://127.0.0.1:{tls_port}"
        gateway = gateway_process(url, "127.0.0.1", stack.gateway_port, stack.redis_port, **variables)
        wait_until_answers(stack.start(gateway), "gateway", f"{stack.url}/gateway_health/live", 60)
        health = httpx.get(f"{stack.url}/gateway_health", trust_env=False).json()
    assert health["target_reachable"] is False
    assert health["target_problem"] == "its certificate is for another host name"
