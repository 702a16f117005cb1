"""Starts nginx with a configuration, as a target or as a reverse proxy."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.observation import LOG_FORMAT
from benchmarks.support import echo_module, running_program
from fast_priority.local.child_processes import wait_until_answers

_TEMPORARY_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_MOST_FILES, _RESERVED_FILES = 65_536, 512


@contextmanager
def running_nginx(folder: Path, processes: str, servers: str, port: int, output: IO[bytes]) -> Iterator[int]:
    """Run nginx with its files in `folder`, and return its process id when it answers /status on `port`.

    `processes` are directives of the main block, `servers` of the http block. Raises ConfigurationError if nginx does
    not start.
    """
    config = folder / "nginx.conf"
    temporary = " ".join(f"{name}_temp_path {folder / name};" for name in _TEMPORARY_FOLDERS)
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _MOST_FILES)
    module = f"load_module {echo_module()};"
    config.write_text(
        f"""
        {module} {processes} daemon off; worker_rlimit_nofile {files};
        pid {folder / "nginx.pid"}; error_log stderr warn;
        events {{ worker_connections {files - _RESERVED_FILES}; }}
        http {{
            {temporary}
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
