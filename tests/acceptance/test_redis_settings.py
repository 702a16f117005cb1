"""Requests are forwarded with every kind of connection to Redis, and its secrets appear nowhere."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from fast_priority.local.child_processes import ChildProcess, running, wait_until_answers
from tests.forked_processes import forked
from tests.harness import Run, Stack, free_port, problem_of, running_stack, wait_until
from tests.redis_servers import Certificates, arguments_of, redis_server, speaks_tls
from tests.tls_terminator import tls_in_front_of

SECRET = "not-for-your-eyes"
RIGHTS = (
    "resetchannels ~rq:* &rq:pubsub:* -@all +@read +@write +@transaction +@pubsub +@connection "
    "-@dangerous +eval +evalsha +time +info +client|setname +client|info"
)
"""What docs/reference/redis.md says is enough."""

NOT_BY_PORT = {"FAST_PRIORITY_REDIS_HOST": "", "FAST_PRIORITY_REDIS_PORT": ""}


def start(stack: Stack, run: Run = forked, /, **settings: str) -> None:
    """Start gateway and workers by `run`, with these settings of Redis and no others, and a target."""
    environment = NOT_BY_PORT | {f"FAST_PRIORITY_REDIS_{name}": value for name, value in settings.items()}
    stack.start_mock()
    stack.run = run
    stack.start_gateway(**environment)
    stack.start_workers(processes=2, concurrency=4, **environment)


def test_a_url_says_it_all(tmp_path: Path) -> None:
    """With FAST_PRIORITY_REDIS_URL alone, requests are forwarded, by the database that it names."""
    port = free_port()
    with (
        Redis(port=port, db=3) as redis,
        redis_server(tmp_path / "redis", "--port", str(port), look=redis),
        running_stack(port, tmp_path) as stack,
    ):
        start(stack, URL=f"redis://127.0.0.1:{port}/3")
        assert stack.client.post("/queued", content=b"x" * 100_000).json()["body_length"] == 100_000
        assert redis.scard("rq:workers") == 2
        assert stack.redis.dbsize() == 0


def test_a_unix_socket_and_a_database(tmp_path: Path, short_path: Path) -> None:
    """FAST_PRIORITY_REDIS_SOCKET and _REDIS_DB are enough to reach a Redis without an open port."""
    socket = short_path / "redis.sock"
    with Redis(unix_socket_path=str(socket), db=7) as redis:
        options = ("--port", "0", "--unixsocket", str(socket))
        with redis_server(tmp_path / "redis", *options, look=redis), running_stack(free_port(), tmp_path) as stack:
            start(stack, SOCKET=str(socket), DB="7")
            assert stack.client.post("/queued", content=b"x" * 100_000).json()["body_length"] == 100_000
            assert redis.scard("rq:workers") == 2


def test_a_url_of_a_unix_socket(tmp_path: Path, short_path: Path) -> None:
    """A unix:// URL names the socket, and its db= the database."""
    socket = short_path / "redis.sock"
    with Redis(unix_socket_path=str(socket), db=2) as redis:
        options = ("--port", "0", "--unixsocket", str(socket))
        with redis_server(tmp_path / "redis", *options, look=redis), running_stack(free_port(), tmp_path) as stack:
            start(stack, URL=f"unix://{socket}?db=2")
            assert stack.client.get("/queued").status_code == 200
            assert redis.scard("rq:workers") == 2


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short path: the path of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="fp-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def tls_redis(directory: Path, of: Certificates, cert: Path, key: Path) -> Iterator[int]:
    """A Redis that requires TLS and a certificate; if it was built without TLS, a TLS proxy stands in front of it."""
    port, tls_port = free_port(), free_port()
    with ExitStack() as parts:
        redis = parts.enter_context(Redis(port=port))
        options = ["--port", str(port)]
        own = ("tls-port", str(tls_port)), ("tls-ca-cert-file", of.ca), ("tls-cert-file", cert), ("tls-key-file", key)
        if speaks_tls():
            options += [str(word) for name, value in own for word in (f"--{name}", value)]
        parts.enter_context(redis_server(directory / "redis", *options, look=redis))
        if not speaks_tls():
            parts.enter_context(tls_in_front_of(port, tls_port, ca=of.ca, cert=cert, key=key))
        yield tls_port


def tls_files(of: Certificates) -> dict[str, str]:
    return {"TLS_CA": str(of.ca), "TLS_CERT": str(of.cert), "TLS_KEY": str(of.key)}


@pytest.mark.parametrize("way", ["host", "url"])
def test_tls_with_an_authority_of_ones_own(tmp_path: Path, certificates: Certificates, way: str) -> None:
    """With TLS, a private authority and a client certificate, requests are forwarded."""
    of = certificates
    with tls_redis(tmp_path, of, of.cert, of.key) as port, running_stack(port, tmp_path) as stack:
        where = {"HOST": "127.0.0.1", "PORT": str(port), "TLS": "on"}
        where = where if way == "host" else {"URL": f"rediss://127.0.0.1:{port}"}
        start(stack, **where, **tls_files(of))
        assert stack.client.post("/queued", content=b"x" * 300_000).json()["body_length"] == 300_000


def test_rqs_own_command_over_tls(tmp_path: Path, certificates: Certificates) -> None:
    """`rq worker -w fast_priority.worker.PriorityWorker` works with a rediss:// URL."""
    of = certificates
    with tls_redis(tmp_path, of, of.cert, of.key) as port, running_stack(port, tmp_path) as stack:
        stack.start_mock()
        url = f"rediss://127.0.0.1:{port}"
        stack.start_gateway(**NOT_BY_PORT, FAST_PRIORITY_REDIS_URL=url, **_prefixed(tls_files(of)))
        query = f"?ssl_ca_certs={of.ca}&ssl_certfile={of.cert}&ssl_keyfile={of.key}"
        arguments = ("-m", "rq.cli", "worker", "-w", "fast_priority.worker.PriorityWorker", "high", "low")
        stack.start(ChildProcess("rq worker", arguments, {"RQ_REDIS_URL": url + query}))
        assert stack.client.get("/queued").status_code == 200


@pytest.mark.parametrize("trusted", [True, False], ids=["for another host", "of nobody that is trusted"])
def test_a_certificate_is_always_verified(tmp_path: Path, certificates: Certificates, trusted: bool) -> None:
    """A certificate for another host, or of an authority that is not trusted, is refused: 503, and the log says why."""
    of = certificates
    cert, key = (of.elsewhere_cert, of.elsewhere_key) if trusted else (of.cert, of.key)
    files = tls_files(of) if trusted else {"TLS_CERT": str(of.cert), "TLS_KEY": str(of.key)}
    with tls_redis(tmp_path, of, cert, key) as port, running_stack(port, tmp_path) as stack:
        stack.start_gateway(**NOT_BY_PORT, FAST_PRIORITY_REDIS_URL=f"rediss://127.0.0.1:{port}", **_prefixed(files))
        answer = stack.client.get("/queued")
        assert (answer.status_code, problem_of(answer)["type"]) == (503, "urn:fast-priority:broker-unavailable")
        assert "certificate verify failed" in logs_of(stack)


def test_a_user_with_few_rights_is_enough(tmp_path: Path) -> None:
    """The ACL line of docs/reference/redis.md is enough for gateways and workers, stock ones too."""
    port = free_port()
    with Redis(port=port) as redis, redis_server(tmp_path / "redis", "--port", str(port), look=redis):
        redis.execute_command("ACL", "SETUSER", "gate", "on", f">{SECRET}", *RIGHTS.split())
        with running_stack(port, tmp_path) as stack:
            start(stack, HOST="127.0.0.1", PORT=str(port), USER="gate", PASSWORD=SECRET)
            assert stack.client.post("/queued", content=b"x" * 300_000).json()["body_length"] == 300_000
            stack.processes["workers"].terminate()
            stack.processes["workers"].wait(20)
            environment = {"RQ_REDIS_URL": f"redis://gate:{SECRET}@127.0.0.1:{port}"}
            stack.start(ChildProcess("stock worker", ("-m", "rq.cli", "worker", "high", "low"), environment))
            assert stack.client.post("/queued", content=b"x" * 300_000).json()["body_length"] == 300_000
            # Redis 6.2 has no rights for single subcommands of CLIENT; redis-py uses one that is not needed.
            let_pass = {"client"} if redis.info("server")["redis_version"].startswith("6.") else set()
            assert {row["object"] for row in redis.acl_log()} <= let_pass
            assert RIGHTS in (Path(__file__).parents[2] / "docs" / "reference" / "redis.md").read_text()


def test_a_node_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With RQ_KEY_PREFIX={rq} all keys are in one slot, so the node of a Redis Cluster that has it is enough."""
    monkeypatch.setenv("RQ_KEY_PREFIX", "{rq}")
    # A node listens on a second port, too, 10,000 higher. Outgoing connections may use ports above 32,767.
    port = next(port for port in iter(free_port, None) if port + 10_000 < 32_768)
    options = ("--port", str(port), "--cluster-enabled", "yes")
    with Redis(port=port) as redis, redis_server(tmp_path / "redis", *options, look=redis):
        redis.execute_command("CLUSTER", "ADDSLOTS", *range(16_384))
        wait_until("the cluster is whole", lambda: redis.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        with running_stack(port, tmp_path) as stack:
            stack.start_mock()
            stack.run = running  # rq reads the prefix when it is imported
            stack.start_gateway()
            stack.start_workers(processes=2)
            assert stack.client.post("/queued", content=b"x" * 300_000).json()["body_length"] == 300_000
            stack.start_stock_worker()
            stack.processes["workers"].terminate()
            stack.processes["workers"].wait(20)
            assert stack.client.post("/queued", content=b"x" * 300_000).json()["body_length"] == 300_000
            assert [key for key in redis.keys("*") if not key.startswith(b"{rq}:")] == []


@pytest.mark.parametrize("by_url", [True, False], ids=["in the URL", "beside it"])
def test_no_secret_is_seen_anywhere(tmp_path: Path, by_url: bool) -> None:
    """The password of Redis is in no arguments of a process, no log, no key, no health page, and not in `rq info`."""
    port = free_port()
    with Redis(port=port, password=SECRET) as redis:
        server = redis_server(tmp_path / "redis", "--port", str(port), "--requirepass", SECRET, look=redis)
        with server, running_stack(port, tmp_path) as stack:
            own = f":{SECRET}@" if by_url else ""
            url = {"URL": f"redis://{own}127.0.0.1:{port}"}
            # A fork has the command line of the process that it was forked from.
            start(stack, running, **url, **({} if by_url else {"PASSWORD": SECRET}))
            seen = [stack.client.get("/queued?token=1").text, str(stack.health())]
            seen += [arguments_of(process.pid) for process in stack.processes.values()]
            redis.config_set("requirepass", "another")
            redis.client_kill_filter(skipme=True, _type="normal")
            wait_until("the gateway is refused", lambda: stack.client.get("/queued").status_code == 503)
            wait_until("the workers are refused", lambda: "invalid username-password" in log_of(stack, "workers"))
            redis.config_set("requirepass", SECRET)
            wait_until("all is well again", lambda: stack.client.get("/queued").status_code == 200)
            seen += [str(_contents(redis)), str(redis.client_list()), logs_of(stack), _rq_info(stack)]
            assert len(arguments_of(stack.processes["workers"].pid).splitlines()) >= 3
            assert [text for text in seen if SECRET in text] == []


def logs_of(stack: Stack) -> str:
    return "\n".join(log.read_text() for log in stack.logs.rglob("*.log"))


def log_of(stack: Stack, name: str) -> str:
    return "\n".join(log.read_text() for log in stack.logs.glob(f"{name}-*.log"))


def _prefixed(settings: dict[str, str]) -> dict[str, str]:
    return {f"FAST_PRIORITY_REDIS_{name}": value for name, value in settings.items()}


def _contents(redis: Redis) -> list[object]:
    return [(key, redis.dump(key)) for key in redis.keys("*")]


def _rq_info(stack: Stack) -> str:
    environment = {**os.environ, "RQ_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:{stack.redis_port}"}
    command = [sys.executable, "-m", "rq.cli", "info"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "2 workers, 2 queues" in said
    return said


def test_standalone_takes_the_redis_that_a_url_names(tmp_path: Path) -> None:
    """`standalone` with FAST_PRIORITY_REDIS_URL starts no Redis, and passes no secret as an argument."""
    port = free_port()
    with Redis(port=port, password=SECRET, db=4) as redis:
        server = redis_server(tmp_path / "redis", "--port", str(port), "--requirepass", SECRET, look=redis)
        with server, running_stack(port, tmp_path) as stack:
            stack.start_mock()
            target, own = ("--target", stack.mock_url), ("--host", "127.0.0.1", "--port", str(stack.gateway_port))
            environment = {"FAST_PRIORITY_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:{port}/4"}
            part = ChildProcess("standalone", ("-m", "fast_priority", "standalone", *target, *own), environment)
            wait_until_answers(stack.start(part, running), "standalone", f"{stack.url}/gateway_health/ready")
            assert stack.client.get("/queued").status_code == 200
            assert redis.scard("rq:workers") == 1
            arguments = arguments_of(stack.processes["standalone"].pid)
            assert ("redis-server" in arguments, SECRET in arguments, "gateway" in arguments) == (False, False, True)
