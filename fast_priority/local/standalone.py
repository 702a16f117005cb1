"""Gateway, workers and a Redis in one command, for one machine."""

import signal
import time
from contextlib import ExitStack
from subprocess import Popen
from typing import TypeAlias

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import gateway_process, running, wait_until_answers, worker_process
from fast_priority.local.interruption import Interrupted, Interruption
from fast_priority.local.redis_server import embedded_redis
from fast_priority.server import check_port_is_free
from fast_priority.settings import Settings
from fast_priority.support.installed_versions import own_version
from fast_priority.target import check_tls_files

Process: TypeAlias = "Popen[bytes]"

_LOOK_SECONDS = 0.2
_LAST_SECONDS = 10.0  # for the answers to requests that are given up


def run_standalone(settings: Settings, *, embed_redis: bool) -> None:
    """Run all of it until Ctrl-C, SIGTERM or SIGHUP.

    Then end it in order: the gateway after its last response, workers, Redis.

    Raises ConfigurationError if a process does not start, or ends by itself.
    """
    policy = settings.target_policy()
    check_tls_files(settings.target_tls)
    urls = check_port_is_free(settings)
    typer.echo(_start_line(settings, embed_redis=embed_redis))
    interruption = Interruption()
    try:
        with interruption.listening(), ExitStack() as processes:
            # Another Redis: gateway and workers read its settings themselves, and no secret is passed to them.
            redis_socket = processes.enter_context(embedded_redis()) if embed_redis else None
            workers = processes.enter_context(
                running(worker_process(settings.worker_processes, settings.worker_concurrency, redis_socket))
            )
            child = gateway_process(policy.base_url, settings.host, settings.port, redis_socket)
            gateway = processes.enter_context(running(child, stop_seconds=settings.drain_seconds + _LAST_SECONDS))
            # While these end in order, a second Ctrl-C ends them at once.
            processes.callback(signal.signal, signal.SIGINT, signal.default_int_handler)
            with interruption.may_interrupt():
                _serve(urls, settings, policy.base_url, gateway, workers)
    except Interrupted:
        typer.echo("Ended.")


def _start_line(settings: Settings, *, embed_redis: bool) -> str:
    """Return what runs, why, and with which Redis."""
    redis = "a Redis of its own" if embed_redis else f"the Redis at {settings.redis_address}"
    return (
        f"Fast Priority {own_version()}: gateway, {settings.workers_as_text}, and {redis}: "
        "the command is `fast-priority standalone`"
    )


def _serve(urls: list[str], settings: Settings, target_url: str, gateway: Process, workers: Process) -> None:
    wait_until_answers(gateway, "gateway", f"{_reachable(urls[0])}{settings.health_path}/ready")
    typer.echo(f"Fast Priority listens on {_place(urls, settings.port)} and forwards to {target_url}. Ctrl-C ends it.")
    while gateway.poll() is None and workers.poll() is None:
        time.sleep(_LOOK_SECONDS)
    raise ConfigurationError("gateway or workers ended by themselves: their output is above")


def _place(urls: list[str], port: int) -> str:
    if any(_reachable(url) != url for url in urls):
        return f"port {port} of all addresses of this machine"
    return ", ".join(urls)


def _reachable(url: str) -> str:
    """Return the URL with an address of this machine in place of "all addresses"."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
