"""uvicorn's server, with a shutdown that loses no request: all that have come, or are on their way, are answered."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

import uvicorn

from fast_priority.errors import ConfigurationError
from fast_priority.server.listening import urls_of
from fast_priority.server.timeouts import ConnectionTimeouts

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0  # a request may be on its way on a connection that looks idle
_ERRORS_SECONDS = 3.0
_POLL_SECONDS = 0.05
_TWICE_SECONDS = 1.0  # a terminal, a shell and a supervisor may all send a signal for one and the same wish


class GracefulServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then drains for up to `drain_seconds`; a second signal ends it at once.

    `on_signal` is called at the first signal. The server still accepts connections for `delay_seconds` then, since some
    load balancers learn late that it ends. The exit status of an orderly shutdown is 0.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        timeouts: ConnectionTimeouts,
        drain_seconds: float,
        on_signal: Callable[[], None],
        delay_seconds: float = 0.0,
        open_sockets: Callable[[], list[socket.socket]] | None = None,
    ) -> None:
        super().__init__(config)
        self._timeouts = timeouts
        self._drain_seconds = drain_seconds
        self._on_signal = on_signal
        self._delay_seconds = delay_seconds
        self._open_sockets = open_sockets
        self._asked_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and listen on these sockets, else on those of `open_sockets`, else as the config says.

        Raises ConfigurationError if the sockets cannot be used.
        """
        if sockets is None and self._open_sockets is not None:
            sockets = self._open_sockets()
        try:
            await super().startup(sockets)
        except OSError as error:  # another program has begun to listen there meanwhile
            raise ConfigurationError(f"the gateway cannot listen ({error.strerror}): give a free port") from error
        if sockets is not None:
            logger.info("listening on %s", ", ".join(urls_of(sockets)))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down. uvicorn's own handler would raise the signal again at the end, as if it had killed us."""
        now = time.monotonic()
        self._asked_at = self._asked_at or now
        self.should_exit = True
        self.force_exit = now - self._asked_at > _TWICE_SECONDS

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer the requests that have come, and run the lifespan's end."""
        self._on_signal()
        await self._serve_on()
        accepted = self._stop_listening()
        for one in sockets or []:
            one.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            await loop.connect_accepted_socket(self._make_protocol, connection)
        for protocol in list(self.server_state.connections):
            protocol.shutdown()
        self._timeouts.idle.shorten(_IDLE_SECONDS)
        in_flight = len(self.server_state.tasks)
        logger.info(
            "draining for up to %g s: requests in flight: %d. A second signal ends it at once",
            self._drain_seconds,
            in_flight,
        )
        if not await self._have_all_gone(self._drain_seconds):
            why = "a second signal has come" if self.force_exit else "draining timed out"
            logger.warning("%s; requests given up: %d", why, len(self.server_state.tasks))
            for protocol in list(self.server_state.connections):
                protocol.give_up()  # type: ignore[union-attr]  # they are ours, or have been taken over
            await self._have_all_gone(_ERRORS_SECONDS, is_last=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ERRORS_SECONDS if self.force_exit else None):
                await self.lifespan.shutdown()

    async def _serve_on(self) -> None:
        """Serve as before for the delay, or until the second signal."""
        if self._delay_seconds:
            logger.info(
                "still accepting connections for %g s, but not ready. A second signal ends it at once",
                self._delay_seconds,
            )
        deadline = time.monotonic() + self._delay_seconds
        while time.monotonic() < deadline and not self.force_exit:  # noqa: ASYNC110 - a signal handler sets it
            await asyncio.sleep(_POLL_SECONDS)

    def _stop_listening(self) -> list[socket.socket]:
        """Close the listening sockets; return the connections that wait to be accepted, which closing would reset."""
        accepted: list[socket.socket] = []
        with ExitStack() as listening:
            for server in self.servers:
                for found in server.sockets:
                    one = listening.enter_context(socket.socket(fileno=os.dup(found.fileno())))
                    one.setblocking(False)
                    with suppress(OSError):
                        while True:
                            accepted.append(one.accept()[0])
                server.close()
        return accepted

    def _make_protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def _have_all_gone(self, within_seconds: float, *, is_last: bool = False) -> bool:
        """Wait until no connections and no requests are left. Return False if some are after this time.

        A second signal ends the wait, except for the last one.
        """
        deadline = time.monotonic() + within_seconds
        while self.server_state.connections or self.server_state.tasks:
            if time.monotonic() > deadline or (self.force_exit and not is_last):
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True
