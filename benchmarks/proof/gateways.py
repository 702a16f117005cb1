"""Gateways by name, each with a target: ours, HAProxy's, and test doubles with an order of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.support import REPOSITORY, running_program
from fast_priority.local.child_processes import ChildProcess, mock_target_process, running, wait_until_answers
from fast_priority.local.free_ports import free_port

FAST_PRIORITY, HAPROXY_PRIORITY, HAPROXY_FIFO = "fast-priority", "haproxy priority", "haproxy fifo"
DOUBLES = ("fifo", "random", "sometimes-wrong")
_START_SECONDS = 20.0


@contextmanager
def running_gateway(name: str, slots: int = 4) -> Iterator[list[str]]:
    """Run a gateway, and return the arguments of `loadtest check` for it; ours is started by the check itself."""
    if name == FAST_PRIORITY:
        yield []
        return
    target, gateway = free_port(), free_port()
    target_url, url = f"http://127.0.0.1:{target}", f"http://127.0.0.1:{gateway}"
    with ExitStack() as processes:
        mock = processes.enter_context(running(mock_target_process(target, "0")))
        wait_until_answers(mock, "mock target", f"{target_url}/health", _START_SECONDS)
        if name in (HAPROXY_PRIORITY, HAPROXY_FIFO):
            config = REPOSITORY / "examples" / "haproxy" / f"{name.removeprefix('haproxy ')}.cfg"
            environment = {"GATEWAY": f"127.0.0.1:{gateway}", "TARGET": f"127.0.0.1:{target}", "SLOTS": str(slots)}
            command = ["haproxy", "-f", str(config)]
            processes.enter_context(running_program(command, None, errors=None, environment=environment))
        else:
            double = str(REPOSITORY / "tests" / "doubles" / "gateway.py")
            options = ("--order", name, "--port", str(gateway), "--target", target_url, "--slots", str(slots))
            processes.enter_context(running(ChildProcess(name, (double, *options), {})))
        yield ["--url", url, "--target-url", target_url]
