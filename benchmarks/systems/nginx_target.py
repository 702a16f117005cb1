"""nginx as the target: it answers a fixed 200, at once or after a time, and costs as little as a target can."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.observation import ServedRequest, read_target_log
from benchmarks.support import fetch
from benchmarks.systems.nginx import running_nginx
from benchmarks.systems.paths import PASS_THROUGH_PREFIX, QUEUE_PREFIX, all_paths
from fast_priority.local.free_ports import free_port

_BODY = "0123456789"
_COMPLETION = (
    '{"id":"1","object":"chat.completion","created":1,"model":"model","choices":[{"index":0,"finish_reason":"stop",'
    '"message":{"role":"assistant","content":"Hello."}}],'
    '"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
)
_REQUESTS_WORD = 9
"""The position of the number of requests among the words of stub_status."""


@dataclass(frozen=True, slots=True)
class NginxTarget:
    """A running target."""

    url: str
    pid: int
    log: Path

    def count_requests(self) -> int:
        """Return how many requests it has received so far, with the request of this call."""
        return int(fetch(f"{self.url}/status").split()[_REQUESTS_WORD])

    def clear_log(self) -> None:
        """Empty its log. Raises FileNotFoundError if it was started without one."""
        os.truncate(self.log, 0)

    def read_log(self, flush_seconds: float = 0.3) -> list[ServedRequest]:
        """Return the requests since `clear_log`, oldest first, after waiting until nginx has written its log."""
        time.sleep(flush_seconds)
        return read_target_log(self.log.read_text().splitlines())


@contextmanager
def running_nginx_target(output: IO[bytes], *, with_log: bool = False) -> Iterator[NginxTarget]:
    """Run the target in one process. Raises ConfigurationError if it does not start."""
    with tempfile.TemporaryDirectory(prefix="bench-target-") as folder:
        log = Path(folder) / "requests.log"
        port = free_port()
        logs = f"access_log {log} requests buffer=64k flush=100ms" if with_log else "access_log off"
        prefixes = (QUEUE_PREFIX, PASS_THROUGH_PREFIX)
        locations = "\n".join(_location(path, ms) for prefix in prefixes for path, ms in all_paths(prefix))
        server = f"""
            {logs};
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                {locations}
                location /v1/chat/completions {{ default_type application/json; return 200 '{_COMPLETION}'; }}
                location /plain/v1/chat/completions {{ default_type application/json; return 200 '{_COMPLETION}'; }}
                location /fixed {{ return 200 "{_BODY}"; }}
                location /status {{ access_log off; stub_status; }}
            }}"""
        with running_nginx(Path(folder), "master_process off;", server, port, output) as pid:
            yield NginxTarget(f"http://127.0.0.1:{port}", pid, log)


def _location(path: str, service_ms: int) -> str:
    if not service_ms:
        return f'location = {path} {{ return 200 "{_BODY}"; }}'
    return f"location = {path} {{ echo_sleep {service_ms / 1000:g}; echo_exec /fixed; }}"
