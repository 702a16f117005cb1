"""The requests of clients, as their heads have been read, and the responses to them."""

import msgspec
from msgspec.structs import replace
from starlette.types import Receive, Scope

from fast_priority.errors import GatewayError
from fast_priority.events import Events, Retried, publish
from fast_priority.gateway.deciding import Decider, Undecided
from fast_priority.gateway.queues import Queues
from fast_priority.gateway.request_body import RequestBody
from fast_priority.gateway.request_head import HeadReader
from fast_priority.gateway.response import ClientResponse
from fast_priority.gateway.retry import IDEMPOTENT_METHODS
from fast_priority.gateway.target_document import at_target
from fast_priority.http.date import http_date
from fast_priority.http.fields import without_websocket_fields
from fast_priority.http.forwarding import Hop
from fast_priority.http.limits import LEAST_BYTES_PER_SECOND
from fast_priority.http.max_forwards import answer_as_last
from fast_priority.http.message import Fields, Reply
from fast_priority.http.request_id import REQUEST_ID
from fast_priority.http.via import Deployment
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import RequestFacts, Rules
from fast_priority.server import ClientConnection, DisconnectEvent, connection_of
from fast_priority.support.rate_timeout import RateTimeout
from fast_priority.support.stalls import RunningClock
from fast_priority.target import Target


class ClientRequest(msgspec.Struct, frozen=True, eq=False):
    """One request, as its head has been read, and the response to it."""

    scope: Scope
    method: str
    raw_target: bytes
    fields: Fields
    body: RequestBody
    response: ClientResponse
    priority: Priority | None
    """None: it skips the queues."""
    queues: Queues
    events: Events
    connection: ClientConnection | None
    """None if the server does not offer it."""
    undecided: Undecided | None = None
    """Set if its body decides about its priority: then `priority` says nothing."""

    @property
    def left(self) -> DisconnectEvent:
        """Reports that the client has left. Only for servers that offer the connection."""
        if self.connection is None:
            raise RuntimeError("this server does not report it so")
        return self.connection.left

    @property
    def is_idempotent(self) -> bool:
        """Whether it has the same effect if it is sent twice."""
        return self.method in IDEMPOTENT_METHODS

    def decided(self, priority: Priority | None) -> "ClientRequest":
        """Return the same request with the level that its body has decided; None: it skips the queues."""
        self.response.record.note_level(priority)
        return replace(self, priority=priority, undecided=None)

    def can_be_sent_again(self) -> bool:
        """Return whether its body is still here, no response has begun, and its queue still takes requests."""
        is_over = self.priority is not None and self.queues.is_closing
        return self.body.can_be_sent_again and not self.response.has_begun and not is_over

    def note_retry(self, error: GatewayError) -> None:
        """Publish, and note, that it is sent again after this error."""
        if self.events.retried:
            publish(self.events.retried, Retried(self.scope, error, self.response.record))
        self.response.record.begin_second_attempt()


class RequestFactory:
    """Reads the heads of requests: it makes each of them a ClientRequest.

    The arguments are those of `handler.Gateway`. Without WebSockets, a request for one is read as a plain GET.
    """

    def __init__(
        self,
        rules: Rules,
        read_head: HeadReader,
        queues: Queues,
        target: Target,
        client_timeout_seconds: float,
        deployment: Deployment,
        events: Events,
        *,
        with_websockets: bool,
        decider: Decider | None = None,
    ) -> None:
        self._rules = rules
        self._decider = decider
        self._read_head = read_head
        self._queues = queues
        self._target = target
        self._client_timeout_seconds = client_timeout_seconds
        self._deployment = deployment
        self._events = events
        self._with_websockets = with_websockets
        self._clock = RunningClock()

    def read(self, scope: Scope, receive: Receive, response: ClientResponse) -> ClientRequest | Reply:
        """Return the request as its head says it, or the response if the gateway has to answer it by itself.

        Raises GatewayError for a head that cannot be forwarded, and for a request that a rule or its key refuses.
        """
        # Copied before the body is read: a server may append trailer fields to the same list as they come in.
        fields: Fields = list(scope["headers"])
        if not self._with_websockets:
            fields = without_websocket_fields(fields)
        method, hop = scope["method"], Hop.of(scope)
        head = self._read_head(fields, method, hop, self._deployment.names)
        connection = connection_of(scope)
        body = RequestBody(
            head.declared_bytes,
            receive,
            self._target.policy.max_body_bytes,
            RateTimeout(self._client_timeout_seconds, LEAST_BYTES_PER_SECOND),
            connection,
            comes_when_asked_for=head.expects_continue,
            clock=self._clock,
        )
        raw_path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        raw_target = connection.raw_target if connection else raw_path + b"?" + query if query else raw_path
        if head.ends_here:
            return answer_as_last(method, raw_target, fields, hop.http_version, http_date())
        raw_target, raw_path = at_target(method, raw_target, raw_path)
        self._target.check(raw_target)
        wants_websocket = self._with_websockets and connection is not None and connection.wants_websocket
        facts, onward = RequestFacts(raw_path.decode("latin-1"), method, wants_websocket), head.onward
        priority: Priority | Undecided | None
        if self._decider is None:
            priority = self._rules.priority_of(facts)
        else:
            priority = self._decider.decide(facts, fields, query, head.declared_bytes, hop, response)
            onward = self._decider.onward(onward, fields)
        if not head.has_request_id:
            onward = [*onward, (REQUEST_ID, response.record.request_id.encode())]
        undecided, known = (priority, None) if isinstance(priority, Undecided) else (None, priority)
        if undecided is None:
            response.record.note_level(known)
        return ClientRequest(
            scope, method, raw_target, onward, body, response, known, self._queues, self._events, connection, undecided
        )
