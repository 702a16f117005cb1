"""uvicorn, set up so that it adds nothing to what the target answers."""

import socket
from typing import Any

import uvicorn

from fast_priority.app import create_app
from fast_priority.errors import ConfigurationError
from fast_priority.http_protocol import HttpProtocol
from fast_priority.settings import PREFIX, Settings
from fast_priority.small_reads import SmallReads

_DRAIN_GRACE_SECONDS = 5  # over the longest that an answer can take


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


def _in_small_reads(*args: Any, **kwargs: Any) -> SmallReads:
    return SmallReads(HttpProtocol(*args, **kwargs))


def server_for(settings: Settings) -> uvicorn.Server:
    """Build the gateway's server. Raises ConfigurationError without a target, or if its port is taken."""
    check_port_is_free(settings)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=_in_small_reads,  # type: ignore[arg-type]  # it makes protocols, and that is all that is asked of it
        loop="uvloop",
        ws="none",  # the protocol above hands WebSockets over to the application, as connections
        lifespan="on",
        # The client gets the target's Date and Server, and its own address is nobody's to overwrite.
        date_header=False,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_config=None,  # one log, in one form, set up by who starts the server
        # On SIGTERM no more connections are taken, and what waits gets its answer if one can still come.
        timeout_graceful_shutdown=int(settings.ttl + settings.timeout) + _DRAIN_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
