"""HTTP from clients: uvicorn's protocol, with the limits and the timeouts of an intermediary.

`request_reader.py` reads the requests. Here they are answered in turn, the timeouts of the client run, and the
connection ends. `connection_state.py` explains the states of a connection.
"""

import asyncio
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fast_priority.errors import GatewayError, GatewayNotReady, HeadTimeout
from fast_priority.http.cors import NO_ORIGINS, AllowedOrigins
from fast_priority.server.connection_state import BODY, IDLE, NEW, REFUSED, WAITS_FOR_HEAD, Event, Lifetime
from fast_priority.server.extension import EXTENSION
from fast_priority.server.refusals import ErrorResponse, cycle_for_refusal, log_refusal
from fast_priority.server.request_connection import disconnect
from fast_priority.server.request_reader import RequestReader
from fast_priority.server.timeouts import ConnectionQueue, ConnectionTimeouts
from fast_priority.server.transport import ClientTransport, TakenOver, WatchedFlow
from fast_priority.support.slow_readers import Peer


class HttpProtocol(RequestReader):
    """One client's connection. `is_last`: it is for one request and no more."""

    def __init__(
        self,
        *args: Any,
        timeouts: ConnectionTimeouts,
        origins: AllowedOrigins = NO_ORIGINS,
        is_last: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, is_last=is_last, **kwargs)
        self._timeouts = timeouts
        self._origins = origins
        self._waits_in: ConnectionQueue | None = None
        self._starting: tuple[RequestResponseCycle, Any] | None = None
        self._peer: Peer
        self._answering: RequestResponseCycle | None = None
        """The request whose turn it is, or was last; uvicorn's `cycle` is the latest that was read."""

    def __repr__(self) -> str:
        answering = "answering" if self.is_answering() else "not answering"
        waiting = f"{len(self.pipeline)} requests and {len(self._held)} bytes waiting"
        return f"<HttpProtocol {self._reading.name} {self._lifetime.name}, {answering}, {waiting}>"

    # The connection begins and ends.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a client that has connected."""
        super().connection_made(transport)
        self.flow = WatchedFlow(transport)
        self.transport = ClientTransport(transport, self.flow, weakref.proxy(self))
        self._peer = self._timeouts.peer_of(self.transport)
        self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and report it to whatever answers a request of this client, also to requests that wait."""
        self._change_state(Event.CLOSE)
        self.flow.unwatch()
        self.left.set()
        super().connection_lost(exc)
        self._stop_timeouts()
        if self._answering is not None:
            disconnect(self._answering)
            self._answering.on_response = _nothing  # a reference cycle otherwise, where no task ends it
        for cycle, _ in self.pipeline:
            cycle.on_response = _nothing  # uvicorn ends this reference cycle only for requests that are answered
        self.pipeline.clear()

    def shutdown(self) -> None:
        """Answer what has been received and what is on its way, and then end."""
        self._change_state(Event.DRAIN)
        self._lifetime = Lifetime.DRAINING
        if not self.is_answering():
            self._wait_for_client()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False  # the latest; those before it would otherwise be the last

    def give_up(self) -> None:
        """End now: send an error if no response has begun, and break off otherwise."""
        answering = self._answering
        if answering is None or answering.response_started or self.transport.is_closing():
            self.transport.abort()
            return
        self._change_state(Event.REFUSAL)
        self.pipeline.clear()
        self.scope = answering.scope
        self._replace_answer(answering, GatewayNotReady("it shut down before the request was answered"))

    def hand_over(self, cycle: RequestResponseCycle, end: Callable[[], None]) -> TakenOver:
        """Return the connection, which is no longer HTTP's. Raises ConnectionResetError if the client has left."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        self._change_state(Event.TAKE_OVER)
        cycle.response_started = cycle.response_complete = True
        cycle.disconnected = True  # a response by which a middleware ends the request must not be sent
        self._stop_timeouts()
        self.flow.unwatch()
        self.parser = None  # type: ignore[assignment]  # a reference cycle otherwise (gc_tuning.py)
        self.connections.discard(self)
        taken = TakenOver(self.connections, end)
        taken.take(self.transport.hand_over(), self._held, write_paused=self.flow.write_paused)
        if self._lifetime is Lifetime.DRAINING:
            end()
        return taken

    # Timeouts.

    def pause_writing(self) -> None:
        """Watch how the client reads: some of what it was sent is in this process."""
        super().pause_writing()
        self._timeouts.slow_readers.begin(self._peer)

    def resume_writing(self) -> None:
        """Watch no longer: all that the client was sent has left this process."""
        super().resume_writing()
        self._timeouts.slow_readers.end(self._peer)

    def time_out(self) -> bool:
        """End the wait for the client, whose timeout has expired; return whether the connection is being closed."""
        queue, self._waits_in = self._waits_in, None
        if queue is None or self.transport.is_closing():
            return self.transport.is_closing()
        if self._reading not in (NEW, IDLE):
            self._refuse(HeadTimeout(f"it was not complete after {queue.seconds:g} s"))
        elif self.transport.has_more_to_read():
            self._wait_in(queue)  # a request is about to be read
        else:
            self.transport.close()
        return self.transport.is_closing()

    def stop_waiting(self) -> None:
        """Wait for nothing more from the client: the connection is about to be closed."""
        self._wait_in(None)

    def _stop_timeouts(self) -> None:
        self._wait_in(None)
        self._timeouts.slow_readers.end(self._peer)

    def _wait_for_client(self) -> None:
        """Let the timeout run that belongs to the state; none while a request is answered."""
        if self.transport.is_closing():
            return
        if self.is_answering():
            self._wait_in(None)
        elif self._reading in WAITS_FOR_HEAD:
            self._wait_in(self._timeouts.head)
        else:
            self._wait_in(self._timeouts.idle)

    def _wait_in(self, queue: ConnectionQueue | None) -> None:
        """Wait in this queue, or in none; in the same queue the time goes on."""
        if queue is self._waits_in:
            return
        if self._waits_in is not None:
            self._waits_in.end(self)
        self._waits_in = queue
        if queue is not None:
            queue.begin(self)

    # Requests are answered, in turn.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        # Of the class: what wraps an application may pass all its attributes on, and has to see each request.
        if not hasattr(type(app), "begin_now"):
            self._run_in_task(cycle, app)
        elif EXTENSION in cycle.scope.get("extensions", ()):
            self._begin(cycle, app)
        else:
            self._starting = cycle, app  # uvicorn has just made the cycle: the rest of the head is still to be read

    def on_headers_complete(self) -> None:
        """Take the end of a head, and begin to answer the request if it is its turn."""
        super().on_headers_complete()
        starting, self._starting = self._starting, None
        if starting is not None:
            self._begin(*starting)

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin to answer a request: without a task if that can be."""
        if not app.begin_now(cycle.scope, partial(self._run_in_task, cycle)):
            self._run_in_task(cycle, app)

    def _run_in_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, app)
        if cycle.more_body and self._body_reads.is_large:
            self.flow.pause_reading()  # until the application receives: a request that waits holds none of its body

    def on_response_complete(self) -> None:
        """Go on with the next request: one that waits, or one that is among the held bytes."""
        self.server_state.total_requests += 1
        self._body_reads.is_held = False
        if self.transport.is_closing():
            self.stop_waiting()
            return
        if len(self.pipeline) <= 1:
            self.flow.let_go()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self._held and not self.pipeline:
            held, self._held = self._held, b""
            self.data_received(held)
        else:
            self._wait_for_client()

    def may_still_send(self) -> bool:
        """Return whether the client may be in the middle of sending: closing now could cost it the response."""
        return self._reading is REFUSED or (self._answering is not None and self._answering.more_body)

    def is_answering(self) -> bool:
        """Return whether a response is not complete."""
        return self._answering is not None and not self._answering.response_complete

    def _refuse(self, error: GatewayError) -> None:
        """Send an error, in turn, for what cannot be read, and close the connection."""
        has_cycle = self._reading is BODY
        self._change_state(Event.REFUSAL)
        log_refusal(error)
        if not has_cycle:
            self._answer_with(error)
        elif self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            self._answer_with(error)
        elif self.cycle.response_complete:
            self.transport.close()
        elif self.cycle.response_started:
            self.transport.abort()  # the client must not take what it has for a whole response
        else:
            self._replace_answer(self.cycle, error)

    def _replace_answer(self, answering: RequestResponseCycle, error: GatewayError) -> None:
        """Send an error in place of the response to this request, which has not begun."""
        disconnect(answering)
        self.left.set()
        self._answering = None
        self._answer_with(error)

    def _answer_with(self, error: GatewayError) -> None:
        self.cycle = cycle_for_refusal(self)
        if self.is_answering():
            self.pipeline.appendleft((self.cycle, ErrorResponse(error, self._origins)))
        else:
            self._start_asgi_task(self.cycle, ErrorResponse(error, self._origins))


def _nothing() -> None:
    pass
