"""uvicorn, set up so that it adds nothing to what the target answers, and takes no more clients than it may."""

import socket
from typing import Any, Protocol

import uvicorn

from fast_priority.errors import ConfigurationError
from fast_priority.server.admission import ConnectionLimiter, connections_that_fit
from fast_priority.server.graceful import GracefulServer
from fast_priority.server.timeouts import ConnectionTimeouts
from fast_priority.settings import PREFIX, Settings
from fast_priority.support.file_limit import raise_file_limit


def check_port_is_free(settings: Settings) -> None:
    """Raise ConfigurationError if nobody can listen where the gateway should."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.create_server((settings.host, settings.port), family=family):
            return
    except OSError as error:
        place = f"{PREFIX}HOST={settings.host!r} and {PREFIX}PORT={settings.port}"
        raise ConfigurationError(
            f"{place} cannot be used ({error.strerror}): give a free port of this machine"
        ) from None


def timeouts_for(settings: Settings) -> ConnectionTimeouts:
    """Make the timeouts that the settings ask for."""
    return ConnectionTimeouts(settings.head_timeout, settings.keep_alive, settings.client_timeout)


class Application(Protocol):
    """What the server needs of the application that it serves."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection or event, as ASGI has it."""
        ...

    def retry_after_seconds(self) -> int:
        """Return when a client that is refused now should come again."""
        ...

    def begin_to_end(self) -> None:
        """Note that the server takes no more connections."""
        ...


def server_for(app: Application, settings: Settings) -> uvicorn.Server:
    """Return a server for the gateway's application. Raises ConfigurationError if its port is taken."""
    check_port_is_free(settings)
    timeouts = timeouts_for(settings)
    most = connections_that_fit(settings.max_connections, raise_file_limit())
    probes = frozenset(path.encode() for path in settings.health_paths)
    door = ConnectionLimiter(timeouts, most, probes, app.retry_after_seconds)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=door,  # type: ignore[arg-type]  # it makes protocols, and that is all that is asked of it
        loop="uvloop",
        ws="none",  # the protocol hands WebSockets over to the application, as connections
        lifespan="on",
        # The client gets the target's Date and Server, and its own address is nobody's to overwrite.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,  # one log, in one form, set up by who starts the server
    )
    return GracefulServer(config, timeouts, settings.drain_seconds, app.begin_to_end)
