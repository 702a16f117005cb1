"""uvicorn, configured so that it adds nothing to responses and accepts no more clients than the limit."""

import socket
from functools import partial
from typing import Any, Protocol

import uvicorn

from fast_priority.server.admission import ConnectionLimiter, connections_that_fit
from fast_priority.server.graceful import GracefulServer
from fast_priority.server.listening import check_port_is_free, open_sockets
from fast_priority.server.timeouts import ConnectionTimeouts
from fast_priority.settings import Settings
from fast_priority.support.file_limit import raise_file_limit


def timeouts_for(settings: Settings) -> ConnectionTimeouts:
    """Return the timeouts of these settings."""
    return ConnectionTimeouts(settings.head_timeout, settings.keep_alive, settings.client_timeout)


class Application(Protocol):
    """What the server needs from the application that it serves."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request or event of ASGI."""
        ...

    def retry_after_seconds(self) -> int:
        """Return the Retry-After for a client that is rejected now."""
        ...

    def begin_to_end(self) -> None:
        """Note that the server ends: it accepts no more connections, or soon will not."""
        ...


def server_for(app: Application, settings: Settings, sockets: list[socket.socket] | None = None) -> uvicorn.Server:
    """Return a server for the gateway's application. Raises ConfigurationError if its port is taken.

    It listens on `sockets`, which are bound; None: on those that the settings ask for.
    """
    if sockets is None:
        check_port_is_free(settings)
    timeouts = timeouts_for(settings)
    most = connections_that_fit(settings.max_connections, raise_file_limit())
    probes = frozenset(path.encode() for path in settings.health_paths)
    limiter = ConnectionLimiter(timeouts, most, probes, app.retry_after_seconds, settings.allowed_origins)
    config = uvicorn.Config(
        app,
        http=limiter,  # type: ignore[arg-type]  # uvicorn only calls it, to make a protocol
        loop="uvloop",
        ws="none",  # the protocol hands the connection of a WebSocket over to the application
        lifespan="on",
        # The client gets the target's Date and Server, and the peer's address is not taken from fields.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,  # the command that starts the server configures the one log
    )
    return GracefulServer(
        config,
        timeouts,
        settings.drain_seconds,
        app.begin_to_end,
        settings.drain_delay,
        open_sockets=partial(open_sockets, settings) if sockets is None else lambda: sockets,
    )
