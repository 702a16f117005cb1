"""A request is forwarded with every documented way to start the gateway, with slots of its own or with workers."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.held_target import OK, held_target
from tests.acceptance.programs import BIN, REPOSITORY, forked_program, program
from tests.harness import Background, Stack, exchange_bytes, free_port, wait_until


def gateway_environment(stack: Stack) -> dict[str, str]:
    return {
        "FAST_PRIORITY_TARGET_BASE_URL": stack.mock_url,
        "FAST_PRIORITY_REDIS_PORT": str(stack.redis_port),
        "FAST_PRIORITY_HOST": "127.0.0.1",
        "FAST_PRIORITY_PORT": str(stack.gateway_port),
    }


def is_up(stack: Stack) -> bool:
    try:
        return stack.client.get("/gateway_health/live").status_code == 200
    except httpx.ConnectError:
        return False


def workers(stack: Stack) -> int:
    count: int = stack.health()["workers"]
    return count


@pytest.mark.parametrize("name", ["run-fast-priority", "fast-priority"])
@pytest.mark.parametrize(("variable", "value", "processes"), [("WORKERS", "2", 2), ("WORKER", "yes", 1)])
def test_the_environment_decides_the_role(stack: Stack, name: str, variable: str, value: str, processes: int) -> None:
    """The program, with both names, runs a gateway, or as many workers as WORKERS or WORKER states."""
    stack.start_mock()
    redis = {"FAST_PRIORITY_REDIS_PORT": str(stack.redis_port)}
    run_gateway = program if variable == "WORKERS" else forked_program  # executed once with each name
    with (
        run_gateway(stack, str(BIN / name), **gateway_environment(stack)),
        program(stack, str(BIN / name), **redis, **{f"FAST_PRIORITY_{variable}": value}),
    ):
        wait_until("the gateway is up", lambda: is_up(stack))
        wait_until("the workers are there", lambda: workers(stack) == processes)
        assert stack.client.get("/queued").status_code == 200


def test_the_development_commands_forward_a_request(stack: Stack) -> None:
    """`fastapi run fast_priority/app.py` and `rq worker high low` are a gateway and its worker; no query is logged."""
    stack.start_mock()
    gateway = ("fastapi", "run", "fast_priority/app.py", "--host", "0.0.0.0", "--port", str(stack.gateway_port))
    with (
        program(stack, *gateway, **gateway_environment(stack)),
        program(stack, "rq", "worker", "high", "low", RQ_REDIS_URL=f"redis://127.0.0.1:{stack.redis_port}"),
    ):
        wait_until("the gateway is up", lambda: is_up(stack))
        assert stack.client.get("/queued?token=a-secret-word").status_code == 200
        logs = [log.read_text() for log in stack.logs.glob("*.log")]
        assert any("GET /queued HTTP/1.1" in text for text in logs)
        assert not any("a-secret-word" in text for text in logs)


def test_the_development_command_with_a_root_path(stack: Stack) -> None:
    """With `fastapi run --root-path` pages link to paths below the prefix, and the target gets paths without it."""
    stack.start_mock()
    gateway = ("fastapi", "run", "fast_priority/app.py", "--root-path", "/gw", "--port", str(stack.gateway_port))
    with program(stack, *gateway, **gateway_environment(stack), FAST_PRIORITY_PASS_THROUGH="direct"):
        wait_until("the gateway is up", lambda: is_up(stack))
        assert stack.client.get("/direct").json()["path"] == "/direct"
        assert "/gw/gateway_openapi.json" in stack.client.get("/gateway_docs").text


def test_the_module_level_app_fails_with_one_line() -> None:
    """`fastapi run` with a bad setting ends with a line that names it, and shows no traceback."""
    environment = {**os.environ, "FAST_PRIORITY_TARGET_BASE_URL": "ftp://nowhere"}
    command = [str(BIN / "fastapi"), "run", "fast_priority/app.py", "--port", str(free_port())]
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60)
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "error: FAST_PRIORITY_TARGET_BASE_URL='ftp://nowhere' cannot be used" in said
    assert "Traceback" not in said


def test_importing_the_app_module_reads_no_environment() -> None:
    """Only the use of `app` reads the environment; the import of the module works without settings."""
    code = "import fast_priority.app, fast_priority; print(fast_priority.create_app.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.strip() == "create_app"


def slots_and_workers(stack: Stack) -> tuple[int, int]:
    health = stack.health()
    return health["slots"], health["workers"]


@pytest.mark.parametrize(
    "command",
    [
        (str(BIN / "run-fast-priority"),),
        (str(BIN / "fast-priority"), "gateway", "--slots", "2"),
        ("/bin/sh", str(REPOSITORY / "docker-entrypoint.sh")),
    ],
)
def test_a_gateway_with_slots_needs_no_worker(stack: Stack, command: tuple[str, ...]) -> None:
    """With slots, in the image as well, a gateway and a Redis are all it takes; the log says how many slots it has."""
    stack.start_mock()
    slots = {} if "--slots" in command else {"FAST_PRIORITY_SLOTS": "2"}
    with program(stack, *command, **gateway_environment(stack), **slots):
        wait_until("the gateway is up", lambda: is_up(stack))
        wait_until("its slots are counted", lambda: slots_and_workers(stack) == (2, 1))
        assert stack.client.get("/queued").status_code == 200
        assert stack.client.get("/gateway_health/ready").status_code == 200
        assert has_logged(stack, f": gateway with 2 slots for {stack.mock_url},")


def has_logged(stack: Stack, text: str) -> bool:
    return any(text in log.read_text() for log in stack.logs.glob("*.log"))


def standalone(stack: Stack, *options: str) -> tuple[str, ...]:
    place = ("--target", stack.mock_url, "--host", "127.0.0.1", "--port", str(stack.gateway_port))
    return (str(BIN / "fast-priority"), "standalone", *place, *options)


@pytest.mark.parametrize(
    ("options", "counted", "processes"),
    [
        ((), (1, 1), 2),  # gateway, Redis
        (("--slots", "3"), (3, 1), 2),
        (("--slots", "2", "--workers", "1"), (3, 2), 4),  # ... pool and worker
    ],
)
def test_standalone_with_slots_in_the_gateway(
    stack: Stack, options: tuple[str, ...], counted: tuple[int, int], processes: int
) -> None:
    """`standalone` runs no workers unless they are asked for, and both together if slots are, too."""
    stack.start_mock()
    with forked_program(stack, *standalone(stack, *options)) as process:
        wait_until("the gateway is up", lambda: is_up(stack))
        wait_until("all slots are counted", lambda: slots_and_workers(stack) == counted)
        assert stack.client.get("/queued").status_code == 200
        assert len(_descendants(process.pid)) >= processes
        assert (len(_descendants(process.pid)) > 2) == ("--workers" in options)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not divide the clients of a port")
def test_several_processes_on_one_port(stack: Stack) -> None:
    """Two gateway processes both answer on one port, share the slots and the order, and end with one command."""
    with held_target() as target, Background(20) as background:
        stack.mock_url = f"http://127.0.0.1:{target.port}"
        command = standalone(stack, "--slots", "3", "--processes", "2")
        with program(stack, *command, FAST_PRIORITY_PRIO_BASE_PATHS="low") as process:
            wait_until("it says that it listens", lambda: has_logged(stack, "Fast Priority listens on"))
            assert _serving(stack, process.pid) == 2
            wait_until("all slots are counted", lambda: slots_and_workers(stack) == (3, 2))
            for _ in range(9):
                background.send(lambda: stack.client.get("/low"))
            target.until_asked(3)
            wait_until("the others wait", lambda: stack.queued() == 6)
            for _ in range(4):
                background.send(lambda: stack.client.get("/high"))
            wait_until("all others wait", lambda: stack.queued() == 10)
            for number in range(13):
                target.answer(number, OK)
                target.until_asked(min(number + 4, 13))
            assert target.paths() == ["/low"] * 3 + ["/high"] * 4 + ["/low"] * 6
            parts = _descendants(process.pid)
        wait_until("everything has ended", lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not divide the clients of a port")
def test_several_processes_count_together(stack: Stack) -> None:
    """Whichever process is asked answers for all: no counter falls. The folder of the numbers ends with the command."""
    stack.start_mock()
    command = standalone(stack, "--slots", "2", "--processes", "2")
    with program(stack, *command, FAST_PRIORITY_PASS_THROUGH="direct") as process:
        wait_until("it says that it listens", lambda: has_logged(stack, "Fast Priority listens on"))
        environment = psutil.Process(_descendants(process.pid)[-1]).environ()
        folder = Path(environment["PROMETHEUS_MULTIPROC_DIR"])
        counts, ports = [], set[str]()
        for _ in range(20):
            for path in ("/direct", "/queued", "/gateway_metrics"):
                page = httpx.get(f"{stack.url}{path}", trust_env=False)  # each on a connection of its own
                assert page.status_code == 200
            found = [line for line in page.text.splitlines() if line.startswith("fast_priority_received_total ")]
            counts.append(float(found[0].split()[1]))
            ports |= {file.name for file in folder.glob("counter_*.db")}
        assert counts == sorted(counts)
        assert counts[-1] == 40
        assert len(ports) == 2
    wait_until("the folder is removed", lambda: not folder.exists())


def _serving(stack: Stack, pid: int) -> int:
    """Return how many processes below this one serve some of many clients."""
    with ExitStack() as clients:
        for _ in range(64):
            clients.enter_context(socket.create_connection(("127.0.0.1", stack.gateway_port)))
        assert exchange_bytes(stack.gateway_port, b"GET /gateway_health/live HTTP/1.0\r\n\r\n").startswith(
            b"HTTP/1.1 200"
        )

        def serve() -> int:
            found = [psutil.Process(child).net_connections("tcp") for child in _descendants(pid)]
            at_port = [
                [one for one in own if one.status == "ESTABLISHED" and one.laddr[1] == stack.gateway_port]
                for own in found
            ]
            assert sum(map(len, at_port)) <= 65
            return sum(map(bool, at_port)) if sum(map(len, at_port)) >= 64 else 0

        wait_until("all clients are accepted", lambda: serve() > 0)
        return serve()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not divide the clients of a port")
def test_a_gateway_process_that_dies_ends_standalone(stack: Stack) -> None:
    """If one of several gateway processes ends by itself, all of it ends, with an error."""
    command = standalone(stack, "--slots", "2", "--processes", "2")
    with program(stack, *command, FAST_PRIORITY_DRAIN_TIMEOUT="1") as process:
        wait_until("it says that it listens", lambda: has_logged(stack, "Fast Priority listens on"))
        parts = _descendants(process.pid)
        gateway = next(pid for pid in parts if "gateway" in psutil.Process(pid).cmdline())
        os.kill(gateway, signal.SIGKILL)
        assert process.wait(60) == 2
    wait_until("everything has ended", lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts))
    assert has_logged(stack, "error: a process of the gateway or the workers ended by itself")


def test_more_processes_than_slots() -> None:
    """With fewer slots than processes, `standalone` ends with one line that says what to set."""
    command = [str(BIN / "fast-priority"), "standalone", "--target", "http://127.0.0.1:9", "--processes", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: --processes 2 with 1 slot leaves a process without any: set --slots")


def test_standalone_with_workers_is_one_command_and_leaves_nothing(stack: Stack) -> None:
    """`fast-priority standalone` forwards requests with a Redis of its own, and Ctrl-C ends all its processes."""
    stack.start_mock()
    with program(stack, *standalone(stack, "--workers", "2")) as process:
        wait_until("the gateway is up", lambda: is_up(stack))
        wait_until("the workers are there", lambda: workers(stack) == 2)
        assert stack.client.get("/queued").status_code == 200
        parts = _descendants(process.pid)
        assert len(parts) >= 5  # gateway, pool, two workers, Redis
    wait_until("everything has ended", lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts))


def test_standalone_says_that_its_port_is_taken(stack: Stack) -> None:
    """If its port is taken, `standalone` ends with an error, not with a traceback, and leaves no process."""
    command = [str(BIN / "fast-priority"), "standalone", "--target", stack.mock_url, "--host", "127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "error: FAST_PRIORITY_HOST=" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_redis_server_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    """If no Redis server is found, the error names the three ways to get one."""
    code = (
        "import importlib.util, shutil\n"
        "shutil.which = importlib.util.find_spec = lambda name: None\n"
        "from fast_priority.local.redis_server import find_redis_server; find_redis_server()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    last = ended.stderr.strip().splitlines()[-1]
    assert "install redis-server or valkey-server" in last
    assert "FAST_PRIORITY_REDIS_HOST" in last


def _descendants(pid: int) -> list[int]:
    found = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return found + [grandchild for child in found for grandchild in _descendants(child)]
