"""The scenarios as locust sends them, straight at the mock target: what is sent and when, and that it is recorded."""

import signal
import socket
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, takewhile
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil
import pytest

from fast_priority.local.child_processes import mock_target_process, wait_until, wait_until_answers
from fast_priority.local.free_ports import free_port
from loadtests import locustfile_path
from loadtests.clients import TargetLog, read_arrivals, read_settled_arrivals, reset_arrivals
from loadtests.records import Priority, SentRequest, join_records, read_sent
from loadtests.scenarios import OpenLoop, Sizing, build_scenario
from tests.forked_processes import forked
from tests.harness import scripted_target

PRIORITIES: tuple[Priority, ...] = ("high", "low")
FLOOD = Sizing(4, 0.2, 2.0)


@contextmanager
def running_target(output_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with output_path.open("wb") as output, forked(mock_target_process(port, "0"), output) as process:
        wait_until_answers(process, "mock target", f"{url}/health")
        yield url, process


@pytest.fixture(scope="module")
def lasting_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_target(tmp_path_factory.mktemp("target") / "output") as (url, _):
        yield url


@pytest.fixture
def target(lasting_target: str) -> str:
    reset_arrivals(lasting_target)
    return lasting_target


@dataclass(frozen=True)
class PlannedRun:
    """What locust has sent, and what the target has seen of it."""

    sent: tuple[SentRequest, ...]
    log: TargetLog
    paths: tuple[str, ...]

    def of(self, priority: Priority) -> list[SentRequest]:
        return sorted((one for one in self.sent if one.priority == priority), key=lambda one: one.sent_at)


def start_locust(target: str, folder: Path, *options: str, files: str = "1000") -> "subprocess.Popen[bytes]":
    limit = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', files]
    arguments = [*limit, sys.executable, "-m", "locust", "-f", f"{locustfile_path()}", "--headless", "--only-summary"]
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [*arguments, "--host", target, "--target-url", target, *options],
            cwd=Path(__file__).parents[3],
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def run_locust(target: str, folder: Path, scenario: str, sizing: Sizing, *options: str) -> PlannedRun:
    record = folder / "sent.ndjson"
    sizes = ["--slots", f"{sizing.slots}", "--service-seconds", f"{sizing.service_seconds}"]
    lasts = ["--seconds", f"{sizing.seconds}"]
    with start_locust(
        target, folder, "--scenario", scenario, *sizes, *lasts, "--sent-file", f"{record}", *options
    ) as process:
        assert process.wait() == 0, (folder / "output").read_text()
    log = read_settled_arrivals(target)
    arrivals = httpx.get(f"{target}/__admin/arrivals", trust_env=False).json()["arrivals"]
    return PlannedRun(read_sent(record), log, tuple(one["path"] for one in arrivals if one["request_id"]))


def schedule_of(name: str, scenario: str, sizing: Sizing) -> list[float]:
    stream = next(stream for stream in build_scenario(scenario, sizing).streams if stream.name == name)
    assert isinstance(stream.source, OpenLoop)
    offsets = stream.source.process.offsets(Random(f"{sizing.seed} {name} arriving"))
    return list(takewhile(lambda offset_seconds: offset_seconds < sizing.seconds, offsets))


@pytest.fixture(scope="module")
def flood(lasting_target: str, tmp_path_factory: pytest.TempPathFactory) -> PlannedRun:
    reset_arrivals(lasting_target)
    several = f"{lasting_target}/one,{lasting_target}/two"
    return run_locust(lasting_target, tmp_path_factory.mktemp("flood"), "saturation", FLOOD, "--host", several)


def test_every_request_is_recorded_and_sent_once(flood: PlannedRun) -> None:
    """What is recorded is what has arrived: each request once, and answered."""
    assert {one.outcome for one in flood.sent} == {"answered"}
    assert {one.status for one in flood.sent} == {200}
    assert Counter(one.request_id for one in flood.sent) == Counter(one.request_id for one in flood.log.arrivals)


def test_gateways_take_turns(flood: PlannedRun) -> None:
    """Of several gateways each gets the same number of requests."""
    first, second = Counter(path.split("/")[1] for path in flood.paths).values()
    assert abs(first - second) <= 1


def test_low_users_of_a_flood_ask_again_and_again(flood: PlannedRun) -> None:
    """Each low user has at most one request in progress, and sends the next one after its response."""
    begins = [(one.sent_at, 1) for one in flood.of("low")]
    ends = [(one.ended_at, -1) for one in flood.of("low")]
    under_way = accumulate(change for _, change in sorted(begins + ends))
    users = sum(stream.priority == "low" for stream in build_scenario("saturation", FLOOD).sources)
    assert max(under_way) == users
    assert len(flood.of("low")) >= 2 * users


def test_open_loop_keeps_its_schedule_with_slow_responses(target: str, tmp_path: Path) -> None:
    """While tens of requests wait for responses, an open loop sends its whole schedule on time."""
    sizing = Sizing(40, 0.5, 2.0)
    run = run_locust(target, tmp_path, "mixed", sizing)
    assert run.log.max_in_flight >= 20
    assert {one.outcome for one in run.sent} == {"answered"}
    for name in PRIORITIES:
        schedule = schedule_of(name, "mixed", sizing)
        sent_at = [one.sent_at for one in run.of(name)]
        assert len(sent_at) == len(schedule)
        assert statistics.correlation(sent_at, schedule) > 0.99


def test_bursts_are_sent_at_once(target: str, tmp_path: Path) -> None:
    """All requests of a burst are sent before the first response."""
    sizing = Sizing(4, 0.2, 3.0)
    high = run_locust(target, tmp_path, "burst", sizing).of("high")
    assert len(high) == 2 * 16
    for burst in (high[:16], high[16:]):
        assert max(one.sent_at for one in burst) < min(one.ended_at for one in burst)


def test_clients_that_leave_close_their_connection(target: str, tmp_path: Path) -> None:
    """A client that leaves is recorded as such, and the target notices it before its response was due."""
    sizing = Sizing(24, 1.0, 3.0)
    run = run_locust(target, tmp_path, "leaving", sizing)
    assert {one.outcome for one in run.sent} == {"answered", "left"}
    shortest_service_seconds = 0.9 * sizing.service_seconds
    left = [one for one in join_records(run.sent, run.log.arrivals) if one.sent.outcome == "left"]
    early = [one for one in left if one.sent.ended_at - one.sent.sent_at < 0.8 * shortest_service_seconds]
    assert {one.sent.priority for one in early} == {"high", "low"}
    for one in early:
        for arrival in one.arrivals:
            assert arrival.finished_at is not None
            assert arrival.finished_at - arrival.arrived_at < shortest_service_seconds


@contextmanager
def deaf_after_one_answer(listener: socket.socket) -> Iterator[None]:
    """Respond to one request; while the block lasts no other client can connect."""
    asking, _ = listener.accept()
    # Nobody accepts it, and the queue has no place for another.
    with asking as connection, socket.create_connection(listener.getsockname()):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)
        yield


def connections_of(process: "subprocess.Popen[bytes]") -> list[Any]:
    return list(psutil.Process(process.pid).net_connections("tcp4"))


def test_what_is_cut_off_by_an_interrupt_is_recorded(target: str, tmp_path: Path) -> None:
    """When the run is interrupted, each request in progress is recorded, as one whose client has left."""
    record = tmp_path / "sent.ndjson"
    options = ["--scenario", "saturation", "--slots", "20", "--service-seconds", "10", "--sent-file", f"{record}"]

    def both_wait() -> bool:
        return len({arrival.request_id.split("-")[0] for arrival in read_arrivals(target).arrivals}) == 2

    with start_locust(target, tmp_path, *options) as process:
        wait_until("requests of both priorities wait", both_wait)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    sent = read_sent(record)
    assert {one.outcome for one in sent} == {"left"}
    assert {one.request_id for one in sent} >= {one.request_id for one in read_settled_arrivals(target).arrivals}


CTRL_C_IN_A_REQUEST = """
from loadtests.clients import BaseUrl
from loadtests.generator import Traffic
from loadtests.scenarios import Sizing, build_scenario

class Connection:
    def connect(self): pass
    def close(self): pass
    def request(self, *_, **__): raise KeyboardInterrupt

BaseUrl.make_connection = lambda _: Connection()
sizing = Sizing(4, 0.2, 2.0)
scenario = build_scenario("saturation", sizing)
traffic = Traffic(scenario, sizing, ["http://gateway"], lambda **_: None)
try:
    traffic.send(scenario.streams[0])
except KeyboardInterrupt:
    print([one.outcome for one in traffic.sent])
"""


def test_ctrl_c_in_the_midst_of_a_request_is_no_failure() -> None:
    """If Ctrl-C comes while the code of a request runs, its client has left, and the gateway has not failed."""
    command = [sys.executable, "-c", CTRL_C_IN_A_REQUEST]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "['left']"


LEAVES = """
import time
import gevent
from loadtests.clients import BaseUrl
from loadtests.generator import Traffic
from loadtests.scenarios import Sizing, build_scenario

class Connection:
    def connect(self): pass
    def request(self, *_, **__): raise gevent.Timeout
    def close(self):
        self.closed_at = time.time()
        while time.time() == self.closed_at: pass

connection = Connection()
BaseUrl.make_connection = lambda _: connection
sizing = Sizing(4, 0.2, 2.0)
scenario = build_scenario("leaving", sizing)
traffic = Traffic(scenario, sizing, ["http://gateway"], lambda **_: None)
traffic.send(scenario.streams[0])
print([(one.outcome, one.ended_at <= connection.closed_at) for one in traffic.sent])
"""


def test_a_client_has_left_before_its_connection_is_closed() -> None:
    """The recorded end is not later than the close: the gateway may reuse the slot as soon as that is seen."""
    command = [sys.executable, "-c", LEAVES]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "[('left', True)]"


def test_run_is_judged(target: str, tmp_path: Path) -> None:
    """Without a file to record to the run is judged: the mock target by itself lets through more than the slots."""
    options = ["--scenario", "saturation", "--slots", "4", "--run-time", "2s"]
    with start_locust(target, tmp_path, *options) as process:
        assert process.wait() == 1
    said = (tmp_path / "output").read_text()
    assert "VIOLATED  limit" in said
    assert "VIOLATED: saturation" in said


def said_by_locust(folder: Path) -> list[str]:
    return (folder / "output").read_text().splitlines()


def test_run_that_cannot_be_judged_could_not_run(tmp_path: Path) -> None:
    """When the mock target is gone before its log is read, that is no verdict but an error of one line."""
    with running_target(tmp_path / "gone") as (gone, process):
        options = ["--scenario", "saturation", "--target-url", gone, "--seconds", "1"]
        with start_locust(gone, tmp_path, *options) as locust:

            def something_is_sent() -> bool:
                return any("ready" not in str(one.request_id) for one in read_arrivals(gone).arrivals)

            wait_until("something is sent", something_is_sent)
            process.terminate()
            assert locust.wait() == 2
    assert any(line.startswith(f"error: GET {gone}/__admin/arrivals failed") for line in said_by_locust(tmp_path))


def test_the_page_sends_nothing_to_another_api(tmp_path: Path) -> None:
    """A test that is started on locust's page sends nothing if the target is not the mock target."""

    def refuse(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with scripted_target(refuse) as (port, heads):
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "locust", "-f", f"{locustfile_path()}", "--autostart", "--autoquit", "0"]
        page = ["--web-host", "127.0.0.1", "--web-port", f"{free_port()}"]
        given = ["--host", url, "--target-url", url]
        ended = subprocess.run([*command, *page, *given], capture_output=True, text=True, check=False, timeout=110)
    assert f"{url} is not the mock target" in ended.stdout + ended.stderr
    assert {head.split()[1] for head in heads} == {b"/__admin/arrivals"}


def test_record_that_cannot_be_written_ends_the_run(target: str, tmp_path: Path) -> None:
    """On a full disk the run could not be recorded: it ends with one line that names the file."""
    options = ["--scenario", "saturation", "--seconds", "600", "--sent-file", "/dev/full"]
    with start_locust(target, tmp_path, *options) as process:
        assert process.wait() == 2
    assert "error: /dev/full cannot be written: No space left on device" in said_by_locust(tmp_path)


def test_want_of_files_does_not_count_against_the_gateway(target: str, tmp_path: Path) -> None:
    """When this machine has no more files for clients, the run ends with an error, not a verdict."""
    options = ["--scenario", "mixed", "--slots", "400", "--service-seconds", "4", "--sent-file", f"{tmp_path / 'sent'}"]
    with start_locust(target, tmp_path, *options, files="100") as process:
        assert process.wait() == 2
    said = "error: this process may open no more files for clients: use fewer --slots, or raise ulimit -n"
    assert said in said_by_locust(tmp_path)


def test_unexpected_failure_is_no_client_that_left(tmp_path: Path) -> None:
    """An unforeseen exception ends the run with an error, and is not recorded as a client that left."""
    record = tmp_path / "sent.ndjson"

    def answer(connection: socket.socket, head: bytes) -> None:
        length = b"1" + b"0" * 30 if b"X-Request-ID" in head else b"0"
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n")

    with (
        scripted_target(answer) as (port, _),
        start_locust(f"http://127.0.0.1:{port}", tmp_path, "--sent-file", f"{record}") as process,
    ):
        assert process.wait() == 2
    assert {one.outcome for one in read_sent(record)} == {"failed"}
    assert any(
        line.startswith("error: the load generator itself failed: OverflowError(") for line in said_by_locust(tmp_path)
    )


def test_a_client_that_leaves_while_connecting_is_not_recorded(tmp_path: Path) -> None:
    """A client that left while it was still connecting has sent nothing, and has no place among what was sent."""
    record = tmp_path / "sent.ndjson"
    seen: set[int] = set()

    with socket.create_server(("127.0.0.1", 0), backlog=0) as gateway:
        url = f"http://127.0.0.1:{gateway.getsockname()[1]}"
        options = ["--scenario", "leaving", "--slots", "2", "--sent-file", f"{record}"]
        with start_locust(url, tmp_path, *options) as process, deaf_after_one_answer(gateway):

            def somebody_has_left() -> bool:
                connecting = {one.laddr.port for one in connections_of(process) if one.status == psutil.CONN_SYN_SENT}
                seen.update(connecting)
                return seen > connecting

            wait_until("a client that was connecting has left", somebody_has_left)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 0
    assert read_sent(record) == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--slots", "0"], "error: slots is 0; use a number above 0"),
        (["--host", "gateway:80"], "error: 'gateway:80' is not a base URL; write one like http://localhost:8000"),
        (["--master"], "error: run locust in one process: with several, none has all sent requests"),
        (
            ["--scenario", "mixed", "--slots", "300"],
            "error: mixed would send 1200 requests a second, and one process can send 1000: "
            "use fewer --slots or a longer --service-seconds",
        ),
        (
            ["--scenario", "burst", "--slots", "500"],
            "error: burst would send 1250 requests a second, and one process can send 1000: "
            "use fewer --slots or a longer --service-seconds",
        ),
        (
            ["--scenario", "saturation", "--slots", "160"],
            "error: saturation would have 962 users, and this process may open 1000 files: "
            "use fewer --slots, or raise ulimit -n",
        ),
    ],
)
def test_impossible_run_is_refused(options: list[str], said: str, target: str, tmp_path: Path) -> None:
    """An impossible run ends at once, with one line that says why and a separate exit code."""
    with start_locust(target, tmp_path, *options) as process:
        assert process.wait() == 2
    assert said in said_by_locust(tmp_path)
