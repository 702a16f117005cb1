"""Gateway, Redis and, if they are asked for, workers in one command, for one machine."""

import signal
import socket
import time
from contextlib import ExitStack
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import TypeAlias

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import (
    ChildProcess,
    RedisPlace,
    gateway_process,
    running,
    running_together,
    wait_until,
    wait_until_answers,
    with_sockets,
    worker_process,
)
from fast_priority.local.interruption import Interrupted, Interruption
from fast_priority.local.redis_server import embedded_redis
from fast_priority.local.shape import Shape, shape_of
from fast_priority.observability import SHARED_FOLDER
from fast_priority.server import are_listening, check_port_is_free, shared_sockets
from fast_priority.settings import PREFIX, Settings
from fast_priority.support.installed_versions import own_version
from fast_priority.target import check_tls_files

Process: TypeAlias = "Popen[bytes]"
Sockets: TypeAlias = list[list[socket.socket]]
"""The sockets of each gateway process; none if the only one opens its own."""

_LOOK_SECONDS = 0.2
_LAST_SECONDS = 10.0  # for the answers to requests that are given up


def run_standalone(settings: Settings, gateway_processes: int, *, embed_redis: bool) -> None:
    """Run all of it until Ctrl-C, SIGTERM or SIGHUP.

    Then end it in order: the gateways, each after its last response, workers, Redis.

    Raises ConfigurationError if a process does not start, or ends by itself.
    """
    policy = settings.target_policy()
    check_tls_files(settings.target_tls)
    _check_policy(settings)
    shape = shape_of(settings, gateway_processes)
    urls = check_port_is_free(settings)
    interruption = Interruption()
    try:
        with interruption.listening(), ExitStack() as processes, ExitStack() as port:
            sockets = port.enter_context(shared_sockets(settings, gateway_processes)) if gateway_processes > 1 else []
            typer.echo(_start_line(settings, shape, embed_redis=embed_redis))
            # Another Redis: gateways and workers read its settings themselves, and no secret is passed to them.
            redis_socket = processes.enter_context(embedded_redis()) if embed_redis else None
            workers = _workers(shape, redis_socket)
            started = [processes.enter_context(running(child)) for child in workers]
            # Each gateway process answers for all of them: they write what they count to files in one folder.
            shared = {}
            if sockets:
                shared[SHARED_FOLDER] = processes.enter_context(TemporaryDirectory(prefix="fast-priority-metrics-"))
            children = _gateways(settings, shape, policy.base_url, redis_socket, sockets, shared)
            drain_seconds = settings.drain_seconds + _LAST_SECONDS
            gateways = processes.enter_context(running_together(children, stop_seconds=drain_seconds))
            # While these end in order, a second Ctrl-C ends them at once.
            processes.callback(signal.signal, signal.SIGINT, signal.default_int_handler)
            with interruption.may_interrupt():
                _wait_until_all_listen(gateways, sockets)
                port.close()  # only the gateways listen: their sockets are closed when they end
                wait_until_answers(gateways[0], "gateway", f"{_reachable(urls[0])}{settings.health_path}/ready")
                typer.echo(_ready_line(urls, settings.port, policy.base_url))
                _serve([*gateways, *started])
    except Interrupted:
        typer.echo("Ended.")


def _check_policy(settings: Settings) -> None:
    """Raise ConfigurationError for rules or keys that cannot be used, before anything is started."""
    if settings.policy_file or settings.keys_file:
        # It loads what a gateway needs, which takes long.
        from fast_priority.gateway.policy import policy_from

        policy_from(settings)


def _workers(shape: Shape, redis_at: RedisPlace) -> list[ChildProcess]:
    if not shape.worker_processes:
        return []
    return [worker_process(shape.worker_processes, shape.worker_concurrency, redis_at)]


def _gateways(
    settings: Settings, shape: Shape, target_url: str, redis_at: RedisPlace, sockets: Sockets, shared: dict[str, str]
) -> list[ChildProcess]:
    gateways = [
        gateway_process(target_url, settings.host, settings.port, redis_at, **{f"{PREFIX}SLOTS": str(slots)}, **shared)
        for slots in shape.gateway_slots
    ]
    if not sockets:
        return gateways
    return [
        with_sockets(gateway, [one.fileno() for one in own]) for gateway, own in zip(gateways, sockets, strict=True)
    ]


def _start_line(settings: Settings, shape: Shape, *, embed_redis: bool) -> str:
    """Return what runs, why, and with which Redis."""
    redis = "a Redis of its own" if embed_redis else f"the Redis at {settings.redis_address}"
    return f"Fast Priority {own_version()}: {shape.as_text}, and {redis}: the command is `fast-priority standalone`"


def _ready_line(urls: list[str], port: int, target_url: str) -> str:
    return f"Fast Priority listens on {_place(urls, port)} and forwards to {target_url}. Ctrl-C ends it."


def _wait_until_all_listen(gateways: list[Process], sockets: Sockets) -> None:
    """Return once each gateway listens on its sockets. Raises ConfigurationError if one ends, or does not in time."""

    def settled() -> bool:
        return any(gateway.poll() is not None for gateway in gateways) or all(map(are_listening, sockets))

    try:
        wait_until(f"{len(sockets)} gateway processes listen", settled)
    except TimeoutError as error:
        raise ConfigurationError(f"a gateway process did not start: {error}") from None
    for gateway in gateways:
        if gateway.poll() is not None:
            raise ConfigurationError(f"a gateway ended while it started, with exit status {gateway.returncode}")


def _serve(processes: list[Process]) -> None:
    """Wait until a process ends by itself, and raise ConfigurationError then."""
    while all(process.poll() is None for process in processes):
        time.sleep(_LOOK_SECONDS)
    raise ConfigurationError("a process of the gateway or the workers ended by itself: its output is above")


def _place(urls: list[str], port: int) -> str:
    if any(_reachable(url) != url for url in urls):
        return f"port {port} of all addresses of this machine"
    return ", ".join(urls)


def _reachable(url: str) -> str:
    """Return the URL with an address of this machine in place of "all addresses"."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
