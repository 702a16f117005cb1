"""Redis servers other than the usual one: with passwords, over a unix socket or TLS, replicas, Sentinels."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme
from redis import Redis
from redis.exceptions import RedisError

from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import find_redis_server

_STOP_SECONDS = 5.0

Server = subprocess.Popen[bytes]


@contextmanager
def redis_server(directory: Path, *options: str, look: Redis, config: Path | None = None) -> Iterator[Server]:
    """Run a server without persistence, with these options, and yield its process once `look` gets a reply."""
    directory.mkdir(exist_ok=True, parents=True)
    keeps_nothing = (
        () if config else ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", str(directory))
    )
    with (directory / "redis.log").open("ab") as log:
        process = subprocess.Popen(
            [find_redis_server(), *([str(config)] if config else []), *keeps_nothing, *options],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=directory,
        )
    try:
        wait_until("a Redis server answers, or ends", lambda: process.poll() is not None or answers(look))
        assert process.poll() is None, (directory / "redis.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait(_STOP_SECONDS)


@contextmanager
def loopback_redis(port: int | None = None) -> Iterator[int]:
    """Run a server on loopback and yield its port; without `port`, a free one."""
    port = port or free_port()
    with (
        tempfile.TemporaryDirectory(prefix="fast-priority-") as directory,
        Redis(port=port) as look,
        redis_server(Path(directory), "--port", str(port), look=look),
    ):
        yield port


def answers(redis: Redis) -> bool:
    """Return whether a server replies at all, even if it requires a password."""
    try:
        redis.ping()
    except RedisError as error:
        return "NOAUTH" in str(error) or "Authentication required" in str(error)
    return True


def speaks_tls() -> bool:
    """Return whether the installed server supports TLS; the one that comes with the tests does not."""
    refused = [find_redis_server(), "--port", "0", "--tls-port", "0"]  # it would listen nowhere, and reports that
    ended = subprocess.run(refused, capture_output=True, text=True, check=False, timeout=20)
    return "Bad directive" not in ended.stdout + ended.stderr


@contextmanager
def sentinel(
    directory: Path, master_port: int, quorum: int, master_password: str, password: str
) -> Iterator[tuple[int, Server]]:
    """Run a Sentinel that watches a master on loopback as `mymaster`; yield its port and process."""
    directory.mkdir(parents=True)
    port, config = free_port(), directory / "sentinel.conf"
    lines = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {directory}",
        f"requirepass {password}",
        f"sentinel monitor mymaster 127.0.0.1 {master_port} {quorum}",
        f"sentinel auth-pass mymaster {master_password}",
        "sentinel down-after-milliseconds mymaster 500",
        "sentinel failover-timeout mymaster 4000",
    )
    config.write_text("\n".join(lines) + "\n")
    look = Redis(port=port, password=password)
    with look, redis_server(directory, "--sentinel", look=look, config=config) as process:
        yield port, process


class Certificates:
    """An own certificate authority, with certificates for 127.0.0.1 and for another host, as PEM files."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.ca, self.cert, self.key = directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
        self.elsewhere_cert, self.elsewhere_key = directory / "elsewhere.pem", directory / "elsewhere-key.pem"
        authority.cert_pem.write_to_path(self.ca)
        _write(authority.issue_cert("127.0.0.1", "localhost"), self.cert, self.key)
        _write(authority.issue_cert("redis.example"), self.elsewhere_cert, self.elsewhere_key)


def _write(certificate: trustme.LeafCert, cert: Path, key: Path) -> None:
    cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)


def arguments_of(pid: int) -> str:
    """Return the command lines of a process and all its descendants, as the process list shows them."""
    found = ""
    with suppress(FileNotFoundError, ProcessLookupError):
        found = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += "\n" + arguments_of(int(child))
    return found
