"""The gateway as an application in this process, served in several ways, with a mock target and a worker."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from fast_priority.app import create_app
from fast_priority.broker import keys
from fast_priority.gateway import GatewayApp
from fast_priority.local.child_processes import wait_until, worker_process
from fast_priority.server.admission import ConnectionLimiter
from fast_priority.server.graceful import GracefulServer
from fast_priority.server.timeouts import ConnectionTimeouts
from fast_priority.settings import Settings
from tests.harness import CLIENT_OPTIONS, Stack, running_stack
from tests.redis_servers import loopback_redis

PATIENCE_SECONDS = 30
OWN_PAGES = ["/gateway_health", "/gateway_health/live", "/gateway_docs", "/gateway_redoc", "/gateway_openapi.json"]
# By default each client reads all certificates of the machine, which takes 30 ms.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
FORWARDED = ["/queued", "/low/queued", "/direct", "/docs"]


@dataclass
class Behind:
    """What the gateways of a module share: Redis, a worker with four slots, a mock target."""

    stack: Stack

    def app(self, **settings: Any) -> GatewayApp:
        """Return a gateway for the mock target; `/direct` skips the queue, and `/low` is low."""
        chosen = {
            "target_base_url": self.stack.mock_url,
            "redis_host": "127.0.0.1",
            "redis_port": self.stack.redis_port,
            "pass_through": ("direct",),
            "prio_base_paths": ("low",),
            **settings,
        }
        return create_app(Settings.load(**chosen))

    def saw(self) -> list[str]:
        """Return the paths that have reached the target since the last call."""
        found = [str(one["path"]) for one in self.stack.arrivals()]
        self.stack.forget_arrivals()
        return found


@contextmanager
def everything_behind(directory: Path) -> Iterator[Behind]:
    """Run Redis, a worker and a mock target; yield them."""
    with loopback_redis() as port, running_stack(port, directory) as stack:
        stack.start_mock()
        stack.start(worker_process(1, 4, port))
        wait_until("the worker is there", lambda: bool(stack.redis.scard(keys.WORKERS)))
        yield Behind(stack)


@contextmanager
def served(app: Any, server: str = "ours", **options: Any) -> Iterator[httpx.Client]:
    """Serve an application with our own server (`ours`), or as `fastapi run` does (`uvicorn`); yield a client."""
    options = {"lifespan": "on", "log_config": None, "access_log": False, **options}
    listener = socket.create_server(("127.0.0.1", 0))
    if server == "ours":
        clocks = ConnectionTimeouts(PATIENCE_SECONDS, PATIENCE_SECONDS, PATIENCE_SECONDS)
        ours = {"ws": "none", "proxy_headers": False, "date_header": False, "server_header": False}
        options = {"loop": "uvloop", **ours, **options}
        config = uvicorn.Config(app, http=ConnectionLimiter(clocks), **options)  # type: ignore[arg-type]
        running: uvicorn.Server = GracefulServer(config, clocks, PATIENCE_SECONDS, on_signal=lambda: None)
    else:
        running = uvicorn.Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until("it serves, or has ended", lambda: running.started or not thread.is_alive())
        assert running.started
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, **{"verify": NO_CERTIFICATES, **CLIENT_OPTIONS}) as client:
            yield client
    finally:
        running.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive()
