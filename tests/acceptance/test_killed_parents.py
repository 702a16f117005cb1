"""What is left of processes whose parent is killed: nothing."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from fast_priority.local.child_processes import ChildProcess, running, wait_until, wait_until_answers
from tests.harness import Stack

PATIENCE_SECONDS = 60
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for it")


@pytest.fixture
def families() -> Iterator[list[psutil.Process]]:
    """Processes that a test has found; those that still run at its end are killed."""
    found: list[psutil.Process] = []
    yield found
    for process in found:
        if process.is_running():
            process.kill()


def none_runs(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def family_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


@pytest.mark.parametrize("busy", [False, True])
def test_workers_end_with_their_pool(stack: Stack, families: list[psutil.Process], *, busy: bool) -> None:
    """When a pool is killed, its workers finish what is in flight and end, so a new pool does not double the slots."""
    stack.start_mock()
    stack.start_gateway()
    stack.run = running
    pool = stack.start_workers(processes=2, concurrency=2)
    families += family_of(pool)
    assert len(families) >= 2
    if busy:
        with stack.client.stream("GET", "/queued?mock_dribble=3,3&mock_size=3000") as response:
            pieces = response.iter_raw()
            received = len(next(pieces))
            pool.kill()
            received += sum(map(len, pieces))
        assert received == 3000
    else:
        pool.kill()
    wait_until("the workers have ended", lambda: none_runs(families), PATIENCE_SECONDS)
    wait_until("their slots are gone", lambda: stack.health()["slots"] == 0, PATIENCE_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["serving", "starting"])
def test_standalone_leaves_nothing(
    stack: Stack, families: list[psutil.Process], number: signal.Signals, moment: str
) -> None:
    """After SIGHUP or SIGKILL of `standalone`, while it starts or later, nothing that it has started runs."""
    stack.start_mock()
    target, place = ("--target", stack.mock_url), ("--host", "127.0.0.1", "--port", str(stack.gateway_port))
    process = stack.start(
        ChildProcess("standalone", ("-m", "fast_priority", "standalone", *target, *place), {}), running
    )
    if moment == "serving":
        wait_until_answers(process, "standalone", f"{stack.url}/gateway_health/ready")
    else:
        wait_until("its first process runs", lambda: bool(family_of(process)), PATIENCE_SECONDS)
    families += family_of(process)
    process.send_signal(number)
    process.wait(PATIENCE_SECONDS)
    wait_until("nothing of it runs", lambda: none_runs(families), PATIENCE_SECONDS)
