"""HAProxy as a priority gateway: what our queue is compared with, configured as somebody does who knows it well."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.support import running_program
from benchmarks.systems.paths import QUEUE_PREFIX
from fast_priority.local.child_processes import wait_until_answers
from fast_priority.local.free_ports import free_port

_MOST_CONNECTIONS = 4000


@contextmanager
def running_haproxy(
    target_url: str, slots: int, output: IO[bytes], threads: int | None = None, status_path: str = "/status"
) -> Iterator[tuple[str, int]]:
    """Run HAProxy with this number of threads, by default one for each core; return its URL and process id.

    It is ready when the target answers at `status_path`.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-haproxy-") as folder:
        config = Path(folder) / "haproxy.cfg"
        config.write_text(_config(port, target_url, slots, threads or len(os.sched_getaffinity(0))))
        with running_program(["haproxy", "-db", "-f", str(config)], output) as process:
            wait_until_answers(process, "HAProxy", f"http://127.0.0.1:{port}{status_path}")
            yield f"http://127.0.0.1:{port}", process.pid


def _config(port: int, target_url: str, slots: int, threads: int) -> str:
    return f"""
global
    nbthread {threads}
    maxconn {_MOST_CONNECTIONS}

defaults
    mode http
    timeout client 300s
    timeout server 300s
    timeout connect 5s
    timeout queue 300s
    option abortonclose
    http-reuse always
    retries 0

frontend gateway
    bind 127.0.0.1:{port} backlog 4096
    http-request set-priority-class int(-1) if {{ path_beg {QUEUE_PREFIX}/high/ }}
    default_backend target

backend target
    server target {target_url.removeprefix("http://")} maxconn {slots}
"""
