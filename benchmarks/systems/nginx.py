"""nginx, as the target of all that is measured, and as one of the ways to it.

As a target it answers a fixed 200, at once or after a time, and costs the least that a target can cost.
"""

import getpass
import os
import resource
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.observation.target_log import LOG_FORMAT, Service, read_services
from benchmarks.support.machine import echo_module
from benchmarks.support.programs import running_program
from benchmarks.systems.paths import PLAIN, QUEUE, all_paths
from fast_priority.free_ports import free_port
from fast_priority.stack import wait_until_answers

_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_BODY = "0123456789"
_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_MOST_FILES, _KEPT_FILES = 65_536, 512
_REQUESTS_WORD = 9
"""Where the page of stub_status has the number of requests, its own included, in words."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target that runs."""

    url: str
    pid: int
    log: Path

    def requests(self) -> int:
        """Give how many requests have come so far, each call of this among them."""
        with _no_proxy.open(f"{self.url}/status", timeout=10) as response:
            return int(response.read().split()[_REQUESTS_WORD])

    def forget(self) -> None:
        """Empty its log, if it keeps one."""
        os.truncate(self.log, 0)

    def services(self, patience_seconds: float = 0.3) -> list[Service]:
        """Give what it has served since `forget`, oldest first; waits until its log is complete."""
        time.sleep(patience_seconds)
        return read_services(self.log.read_text().splitlines())


@contextmanager
def running_target(output: IO[bytes], *, keeps_log: bool = False) -> Iterator[Target]:
    """Run the target while the block lasts, in one process."""
    with tempfile.TemporaryDirectory(prefix="bench-target-") as folder:
        log = Path(folder) / "requests.log"
        port = free_port()
        logs = f"access_log {log} requests buffer=64k flush=100ms" if keeps_log else "access_log off"
        places = "\n".join(_place(path, ms) for prefix in (QUEUE, PLAIN) for path, ms in all_paths(prefix))
        server = f"""
            {logs};
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                {places}
                location /fixed {{ return 200 "{_BODY}"; }}
                location /status {{ access_log off; stub_status; }}
            }}"""
        with _nginx(Path(folder), "master_process off;", server, port, output) as pid:
            yield Target(f"http://127.0.0.1:{port}", pid, log)


@contextmanager
def running_reverse_proxy(target_url: str, output: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Run nginx as plain reverse proxy, with as many workers as cores; give its URL and process id."""
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as folder:
        port = free_port()
        server = f"""
            access_log off;
            upstream target {{
                server {target_url.removeprefix("http://")};
                keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 600s;
            }}
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                location / {{
                    proxy_pass http://target;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_read_timeout 180s;
                }}
            }}"""
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        with _nginx(Path(folder), f"worker_processes auto; {user}", server, port, output) as pid:
            yield f"http://127.0.0.1:{port}", pid


@contextmanager
def _nginx(folder: Path, processes: str, servers: str, port: int, output: IO[bytes]) -> Iterator[int]:
    config = folder / "nginx.conf"
    own_folders = " ".join(f"{name}_temp_path {folder / name};" for name in _FOLDERS)
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _MOST_FILES)
    module = f"load_module {echo_module()};"
    config.write_text(
        f"""
        {module} {processes} daemon off; worker_rlimit_nofile {files};
        pid {folder / "nginx.pid"}; error_log stderr warn;
        events {{ worker_connections {files - _KEPT_FILES}; }}
        http {{
            {own_folders}
            default_type text/plain; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on;
            log_format requests '{LOG_FORMAT}';
            {servers}
        }}
        """
    )
    command = ["nginx", "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with running_program(command, output) as process:
        wait_until_answers(process, "nginx", f"http://127.0.0.1:{port}/status")
        yield process.pid


def _place(path: str, service_ms: int) -> str:
    if not service_ms:
        return f'location = {path} {{ return 200 "{_BODY}"; }}'
    return f"location = {path} {{ echo_sleep {service_ms / 1000:g}; echo_exec /fixed; }}"
