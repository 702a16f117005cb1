"""Gateways in Python by others, each from an environment of its own: the original fast-priority, and LiteLLM's proxy.

Each is started as its documentation does. The caller names the Python of the environment in which it is installed.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Worker

from benchmarks.support import running_program
from fast_priority.local.child_processes import wait_until, wait_until_answers
from fast_priority.local.free_ports import free_port
from fast_priority.local.redis_server import find_redis_server

_START_SECONDS = 90.0
_REDIS_SECONDS = 20.0
MODEL = "model"
"""The name of the model that the target serves."""


@contextmanager
def running_original(
    python: str, target_url: str, workers: int, poll_interval: str | None, output: IO[bytes]
) -> Iterator[str]:
    """Run the original fast-priority with so many stock rq workers; None: its default poll interval. Return its URL.

    Its Redis listens on a port of loopback: it knows no sockets.
    """
    redis_port, port = free_port(), free_port()
    environment = {
        "FAST_PRIORITY_TARGET_BASE_URL": target_url,
        "FAST_PRIORITY_REDIS_HOST": "127.0.0.1",
        "FAST_PRIORITY_REDIS_PORT": str(redis_port),
        "FAST_PRIORITY_HOST": "127.0.0.1",
        "FAST_PRIORITY_PORT": str(port),
    }
    if poll_interval is not None:
        environment["FAST_PRIORITY_POLL_INTERVAL"] = poll_interval
    server = [find_redis_server(), "--bind", "127.0.0.1", "--port", str(redis_port), "--save", "", "--appendonly", "no"]
    command = [str(Path(python).parent / "run-fast-priority")]
    with running_program(server, output), Redis(port=redis_port) as redis:
        wait_until("Redis answers", lambda: _answers(redis), _REDIS_SECONDS)
        pool = {**environment, "FAST_PRIORITY_WORKERS": str(workers)}
        with (
            running_program(command, output, environment=pool),
            running_program(command, output, environment=environment) as gateway,
        ):
            url = f"http://127.0.0.1:{port}"
            wait_until_answers(gateway, "original fast-priority", f"{url}/gateway_health", _START_SECONDS)
            wait_until("its workers are registered", lambda: Worker.count(connection=redis) >= workers, _START_SECONDS)
            yield url


@contextmanager
def running_litellm(python: str, target_url: str, output: IO[bytes]) -> Iterator[str]:
    """Run LiteLLM's proxy in front of an OpenAI-shaped target, without keys and without a database. Return its URL."""
    port = free_port()
    parameters = {"model": f"openai/{MODEL}", "api_base": f"{target_url}/v1", "api_key": "none"}
    with tempfile.TemporaryDirectory(prefix="bench-litellm-") as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": parameters}]}))
        command: Sequence[str] = [
            str(Path(python).parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port),
            "--telemetry", "False",
        ]  # fmt: skip
        unproxied = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": os.environ.get("PATH", "")}
        with running_program(command, output, environment=unproxied) as process:
            url = f"http://127.0.0.1:{port}"
            wait_until_answers(process, "LiteLLM's proxy", f"{url}/health/liveliness", _START_SECONDS)
            yield url


def _answers(redis: "Redis") -> bool:
    try:
        return bool(redis.ping())
    except RedisConnectionError:
        return False
