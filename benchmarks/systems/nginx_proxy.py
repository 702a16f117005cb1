"""nginx as a plain reverse proxy, without priorities."""

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.systems.nginx import running_nginx
from fast_priority.local.free_ports import free_port


@contextmanager
def running_nginx_proxy(target_url: str, output: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Run nginx with a worker for each core, and return its URL and process id."""
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
        with running_nginx(Path(folder), f"worker_processes auto; {user}", server, port, output) as pid:
            yield f"http://127.0.0.1:{port}", pid
