"""The programs that are tried: this gateway, queued and on pass-through, and two common proxies with plain settings.

Each has a scripted target of its own, and an environment whose proxy variables lead nowhere: none may follow them.
"""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fast_priority.local.child_processes import (
    RedisPlace,
    gateway_process,
    isolated,
    running,
    wait_until,
    wait_until_answers,
    wait_until_slots,
    worker_process,
)
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import embedded_redis
from tests.acceptance.fidelity.case import Case
from tests.acceptance.fidelity.limits import MAX_BODY_BYTES
from tests.acceptance.fidelity.target import ASIDE, ScriptedTarget

NOWHERE = "http://127.0.0.1:9"
PROXY_VARIABLES = {
    name: NOWHERE for plain in ("http_proxy", "https_proxy", "all_proxy") for name in (plain, plain.upper())
} | {"no_proxy": "", "NO_PROXY": ""}

_REQUEST_TARGET = re.compile(rb"[A-Z]+ ([!-\xff]+) HTTP/")
_TARGET_SECONDS = 5
"""The inactivity timeout of the target. The target is never silent, so it only frees the slot after a failed case."""

HAPROXY_ARGUMENTS = ("-f", "{configuration}")
NGINX_ARGUMENTS = ("-p", "{folder}", "-c", "{configuration}")
HAPROXY_CONFIGURATION = """\
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen proxy
  bind 127.0.0.1:{port}
  server target 127.0.0.1:{target}
"""
NGINX_CONFIGURATION = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{target};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


class NotInstalled(Exception):
    """The program is not on the PATH."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program between the suite's client and its target."""

    port: int
    target: ScriptedTarget


Start = Callable[[ExitStack, Path, Sequence[Case]], Contender]
"""Start a contender for these cases, with a folder to write in; the stack ends it. Raises NotInstalled."""


@contextmanager
def running_contender(start: Start, folder: Path, cases: Sequence[Case]) -> Iterator[Contender]:
    """Run a contender inside the block."""
    with ExitStack() as parts:
        yield start(parts, folder, cases)


def paths_of(cases: Sequence[Case]) -> list[str]:
    """Return the path of every request that is sent, also of smuggled ones, as the gateway's settings want it."""
    request_targets = {found for case in cases for piece in case.sent for found in _REQUEST_TARGET.findall(piece)}
    paths = {_path(found) for found in request_targets} | set(ASIDE)
    return sorted(path.decode("latin-1").replace('"', "%22") for path in paths if b"," not in path)


def _path(request_target: bytes) -> bytes:
    if request_target.startswith(b"http://"):
        request_target = b"/" + request_target.removeprefix(b"http://").partition(b"/")[2]
    return request_target.partition(b"?")[0]


def _ours_queued(parts: ExitStack, folder: Path, cases: Sequence[Case]) -> Contender:
    target = parts.enter_context(ScriptedTarget())
    redis_socket = parts.enter_context(embedded_redis())
    port = _gateway(parts, folder, target, redis_socket, pass_through=",")
    environment = {"FAST_PRIORITY_TIMEOUT": str(_TARGET_SECONDS), **PROXY_VARIABLES}
    output = parts.enter_context((folder / "worker.log").open("wb"))
    # One slot: when the next client has its answer, nothing of the case before is still on its way.
    worker = parts.enter_context(running(isolated(worker_process(1, 1, redis_socket, **environment)), output))
    wait_until_slots([worker], f"http://127.0.0.1:{port}", 1)
    return Contender(port, target)


def _ours_passed_through(parts: ExitStack, folder: Path, cases: Sequence[Case]) -> Contender:
    target = parts.enter_context(ScriptedTarget())
    # It has no Redis, so a request that is not passed through cannot be answered by the target by mistake.
    return Contender(_gateway(parts, folder, target, free_port(), pass_through=",".join(paths_of(cases))), target)


def _gateway(parts: ExitStack, folder: Path, target: ScriptedTarget, redis_at: RedisPlace, pass_through: str) -> int:
    port = free_port()
    environment = {
        "FAST_PRIORITY_PASS_THROUGH": pass_through,
        "FAST_PRIORITY_MAX_BODY": str(MAX_BODY_BYTES),
        "FAST_PRIORITY_TIMEOUT": str(_TARGET_SECONDS),
        **PROXY_VARIABLES,
    }
    part = gateway_process(f"http://127.0.0.1:{target.port}", "127.0.0.1", port, redis_at, **environment)
    output = parts.enter_context((folder / "gateway.log").open("wb"))
    process = parts.enter_context(running(isolated(part), output))
    wait_until_answers(process, "gateway", f"http://127.0.0.1:{port}/gateway_health/live")
    return port


def _haproxy(parts: ExitStack, folder: Path, cases: Sequence[Case]) -> Contender:
    return _proxy(parts, folder, "haproxy", HAPROXY_CONFIGURATION, HAPROXY_ARGUMENTS)


def _nginx(parts: ExitStack, folder: Path, cases: Sequence[Case]) -> Contender:
    return _proxy(parts, folder, "nginx", NGINX_CONFIGURATION, NGINX_ARGUMENTS)


def _proxy(parts: ExitStack, folder: Path, program: str, template: str, arguments: Sequence[str]) -> Contender:
    target, port = parts.enter_context(ScriptedTarget()), free_port()
    start_program(parts, folder, program, template.format(port=port, target=target.port), arguments, port)
    return Contender(port, target)


def start_program(parts: ExitStack, folder: Path, program: str, text: str, arguments: Sequence[str], port: int) -> None:
    """Start a program with this text as its configuration, and wait until it listens. Raises NotInstalled.

    `{folder}` and `{configuration}` in its arguments are replaced.
    """
    found = shutil.which(program)
    if found is None:
        raise NotInstalled(f"{program} is not on the PATH")
    configuration = folder / f"{program}.conf"
    configuration.write_text(text)
    command = [found, *(word.format(configuration=configuration, folder=folder) for word in arguments)]
    output = parts.enter_context((folder / f"{program}.log").open("wb"))
    process = subprocess.Popen(
        command, env={**os.environ, **PROXY_VARIABLES}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    )
    parts.callback(process.wait)
    parts.callback(process.terminate)
    wait_until(f"{program} listens", lambda: process.poll() is not None or _listens(port))
    if process.poll() is not None:
        raise RuntimeError((folder / f"{program}.log").read_text())


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


OURS: Mapping[str, Start] = {"ours, queued": _ours_queued, "ours, passed through": _ours_passed_through}
OTHERS: Mapping[str, Start] = {"HAProxy": _haproxy, "nginx": _nginx}
