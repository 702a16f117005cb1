"""Gateway, workers and a Redis of their own in one command, for one machine."""

import signal
import time
from contextlib import ExitStack
from types import FrameType

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import gateway_part, running, wait_until_answers, worker_part
from fast_priority.local.redis_server import embedded_redis
from fast_priority.server import check_port_is_free
from fast_priority.settings import Settings

_LOOK_SECONDS = 0.2
_LAST_SECONDS = 10.0  # what is given up then hears so


class _Asked(Exception):
    """Somebody asked this process to end."""


def run_standalone(settings: Settings, *, embed_redis: bool) -> None:
    """Run everything until Ctrl-C or SIGTERM, then end it in order: the gateway once it has answered, workers, Redis.

    Raises ConfigurationError if a part cannot be started, or ends by itself.
    """
    policy = settings.target_policy()
    check_port_is_free(settings)
    handlers = {number: signal.signal(number, _ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with ExitStack() as parts:
            # A Redis that the environment or `.env` names, the parts find there themselves: no secret is handed on.
            redis_socket = parts.enter_context(embedded_redis()) if embed_redis else None
            workers = parts.enter_context(
                running(worker_part(settings.worker_processes, settings.worker_concurrency, redis_socket))
            )
            part = gateway_part(policy.base_url, settings.host, settings.port, redis_socket)
            gateway = parts.enter_context(running(part, stop_seconds=settings.drain_seconds + _LAST_SECONDS))
            url = f"http://{_reachable(settings.host)}:{settings.port}"
            wait_until_answers(gateway, "gateway", f"{url}{settings.health_path}/ready")
            typer.echo(f"Fast Priority listens on {url}, in front of {policy.base_url}. Ctrl-C ends it.")
            while gateway.poll() is None and workers.poll() is None:
                time.sleep(_LOOK_SECONDS)
            raise ConfigurationError("a part ended by itself; what it said is above")
    except _Asked:
        typer.echo("Ended.")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _ask(number: int, frame: FrameType | None) -> None:
    raise _Asked


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
