"""The check on gateways with right, wrong and random order: it must distinguish them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fast_priority.local.child_processes import ChildProcess, mock_target_process, wait_until_answers
from fast_priority.local.free_ports import free_port
from tests.acceptance.oracle_rig import ONE_SCENARIO, SLOTS, check
from tests.forked_processes import forked

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def mock_url(tmp_path: Path) -> Iterator[str]:
    """A mock target."""
    port = free_port()
    with (tmp_path / "mock target").open("wb") as output, forked(mock_target_process(port, "0"), output) as mock:
        wait_until_answers(mock, "mock target", f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def double(order: str, mock_url: str, folder: Path, slots: int = SLOTS) -> Iterator[str]:
    """A gateway with this order."""
    port = free_port()
    options = ("--order", order, "--port", str(port), "--target", mock_url, "--slots", str(slots))
    child = ChildProcess(order, (str(REPOSITORY / "tests/doubles/gateway.py"), *options), {})
    with (folder / "double").open("wb") as output, forked(child, output):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def haproxy(config: str, mock_url: str) -> Iterator[str]:
    """HAProxy with a configuration of the examples."""
    port = free_port()
    environment = {"GATEWAY": f"127.0.0.1:{port}", "TARGET": mock_url.removeprefix("http://"), "SLOTS": str(SLOTS)}
    with ExitStack() as parts:
        command = ["haproxy", "-f", str(REPOSITORY / "examples/haproxy" / config)]
        process = subprocess.Popen(command, env={**os.environ, **environment})
        parts.callback(process.wait)
        parts.callback(process.terminate)
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("order", ["fifo", "random"])
def test_a_gateway_without_priorities_is_found_out(order: str, mock_url: str, tmp_path: Path) -> None:
    """The verdict on a gateway with first-come or random order is violated, and the requests are named."""
    with double(order, mock_url, tmp_path) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert (code, results["verdict"]) == (1, "VIOLATED")
    (scenario,) = results["scenarios"]
    assert scenario["order"]["inversions"] > 0
    assert {one["ahead"]["priority"] for one in scenario["inversions"]} == {"low"}
    assert {one["behind"]["priority"] for one in scenario["inversions"]} == {"high"}


needs_haproxy = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not on the PATH")


@needs_haproxy
def test_haproxy_without_priorities_is_found_out(mock_url: str, tmp_path: Path) -> None:
    """The verdict on HAProxy's queue without priorities is violated."""
    with haproxy("fifo.cfg", mock_url) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert (code, results["verdict"]) == (1, "VIOLATED")


@needs_haproxy
def test_haproxy_with_priorities_is_proved(mock_url: str, tmp_path: Path) -> None:
    """The verdict on HAProxy's queue with priority classes is proved, without an inversion."""
    with haproxy("priority.cfg", mock_url) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert (code, results["verdict"]) == (0, "PROVED"), results
    assert [scenario["order"]["inversions"] for scenario in results["scenarios"]] == [0]


def test_one_wrong_turn_in_ten_is_found_out(mock_url: str, tmp_path: Path) -> None:
    """The verdict on a gateway that sometimes ignores its priorities is violated."""
    with double("sometimes-wrong", mock_url, tmp_path) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert (code, results["verdict"]) == (1, "VIOLATED")
    (scenario,) = results["scenarios"]
    assert 0 < scenario["order"]["inversions"] < scenario["order"]["overtakings"]


def test_more_at_once_than_allowed_is_found_out(mock_url: str, tmp_path: Path) -> None:
    """The verdict on a gateway that exceeds its number of slots is violated, even with the right order."""
    with double("priority", mock_url, tmp_path, slots=SLOTS + 1) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert code == 1
    (scenario,) = results["scenarios"]
    assert {one["check"]: one["verdict"] for one in scenario["findings"]}["limit"] == "VIOLATED"


def test_a_run_that_saturates_nothing_proves_nothing(mock_url: str, tmp_path: Path) -> None:
    """The verdict on a gateway that never uses half of its slots is unproved, even with the right order."""
    with double("priority", mock_url, tmp_path, slots=SLOTS // 2) as url:
        code, results = check(tmp_path, "--url", url, "--target-url", mock_url, *ONE_SCENARIO)
    assert (code, results["verdict"]) == (3, "UNPROVED"), results


@pytest.mark.parametrize("missing", ["gateway", "mock target"])
def test_what_is_not_there_is_said_in_one_line(missing: str, mock_url: str, tmp_path: Path) -> None:
    """If the gateway or the mock target does not answer, the check ends with exit code 2 and names the URL."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    url, target_url = (nowhere, mock_url) if missing == "gateway" else (mock_url, nowhere)
    command = [sys.executable, "-m", "loadtests", "check", "--url", url, "--target-url", target_url, "--slots", "1"]
    done = subprocess.run(
        [*command, "--patience-seconds", "1"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert nowhere in done.stderr
    assert "Traceback" not in done.stderr
