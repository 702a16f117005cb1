"""Everything that can go wrong with one request, as one tree of exceptions.

Each error has what the client gets: the status, a stable slug, the error type of `Proxy-Status` (RFC 9209, section
2.3), and whose fault it is. A worker sends slug and detail to the gateway, which raises the same error again.
"""

from typing import ClassVar, Literal

Fault = Literal["client", "overload", "target", "internal"]
"""Who causes it: the client, too much work at the same time, the target, or the gateway and its workers."""


class ConfigurationError(Exception):
    """The program cannot run as configured. Its text has one line for each problem: the setting, and what to do."""


class ClientLeft(Exception):
    """The client has closed its connection, so no response can be sent."""


class GatewayError(Exception):
    """A failure that should not happen; the root of all errors of single requests.

    `detail` is a sentence for the client, without any field, body, query or credential. `retry_after_seconds` is the
    value of Retry-After, `challenge` that of WWW-Authenticate; they and `status` may be set on an instance.
    """

    status: int = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "The gateway failed"
    proxy_error: ClassVar[str] = "proxy_internal_error"
    fault: ClassVar[Fault] = "internal"
    retry_after_seconds: int | None = None
    challenge: str | None = None
    closes_connection: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class UnforeseenError(GatewayError):
    """An exception that the gateway does not expect: a bug, or one of a middleware or a route of yours."""

    slug, title = "unforeseen-error", "The gateway failed unexpectedly"
    closes_connection = True  # as servers do after an exception

    def __init__(self, detail: str = "the gateway's log has the traceback") -> None:
        super().__init__(detail)


class MalformedRequest(GatewayError):
    """The framing or a field of the request breaks RFC 9110 or RFC 9112."""

    status, slug, title = 400, "malformed-request", "The request is malformed"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class OperatorTokenRequired(GatewayError):
    """A page for operators was asked for without FAST_PRIORITY_OPERATOR_TOKEN."""

    status, slug, title = 401, "operator-token-required", "This page needs the operator's token"
    proxy_error, fault, closes_connection, challenge = "http_request_denied", "client", True, "Bearer"


class OperatorsOnly(GatewayError):
    """A page for operators was asked for from another machine, and FAST_PRIORITY_OPERATOR_TOKEN is not set."""

    status, slug, title = 403, "operators-only", "This page is for operators"
    proxy_error, fault, closes_connection = "http_request_denied", "client", True


class RequestBodyTooLarge(GatewayError):
    """The request's body is over FAST_PRIORITY_MAX_BODY."""

    status, slug, title = 413, "request-body-too-large", "The request body is too large"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class RequestLineTooLong(GatewayError):
    """The request line is over 64 KiB."""

    status, slug, title = 414, "request-line-too-long", "The request line is too long"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class RequestFieldsTooLarge(GatewayError):
    """The request's fields are over 64 KiB together, or are more than 512."""

    status, slug, title = 431, "request-fields-too-large", "The request's fields are too large or too many"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class KeyRequired(GatewayError):
    """The request shows no key of FAST_PRIORITY_KEYS_FILE, which has `unknown = "refuse"`."""

    status, slug, title = 401, "key-required", "A key is required"
    proxy_error, fault, closes_connection = "http_request_denied", "client", True


class RefusedByRule(GatewayError):
    """A rule of FAST_PRIORITY_POLICY_FILE refuses the request; the rule chooses the status, 400 to 499."""

    status, slug, title = 403, "refused-by-rule", "A rule refuses the request"
    proxy_error, fault, closes_connection = "http_request_denied", "client", True


class RequestTimeout(GatewayError):
    """The client sent fewer than 500 bytes a second of its body, for longer than FAST_PRIORITY_CLIENT_TIMEOUT."""

    status, slug, title = 408, "request-timeout", "The client was too slow"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class HeadTimeout(GatewayError):
    """The client did not send the head of a request within FAST_PRIORITY_HEAD_TIMEOUT."""

    status, slug, title = 408, "request-head-timeout", "The request's head took too long"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class TooManyConnections(GatewayError):
    """FAST_PRIORITY_MAX_CONNECTIONS is reached; the request was not read."""

    status, slug, title = 503, "too-many-connections", "Too many clients are connected"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class TooManyTunnels(GatewayError):
    """FAST_PRIORITY_MAX_TUNNELS is reached; the target has not seen the request."""

    status, slug, title = 503, "too-many-tunnels", "Too many WebSockets are open"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 5


class QueueFull(GatewayError):
    """The queue of the request's priority has reached its limit (FAST_PRIORITY_MAX_QUEUED_HIGH or _LOW)."""

    status, slug, title = 503, "queue-full", "Too many requests are waiting"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class WaitedTooLong(GatewayError):
    """No worker has started the request within FAST_PRIORITY_TTL."""

    status, slug, title = 503, "waited-too-long", "No worker was free in time"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class BrokerUnavailable(GatewayError):
    """Redis does not answer, or refuses writes, so no request can be queued."""

    status, slug, title = 503, "broker-unavailable", "The queue is not available"
    proxy_error, fault, retry_after_seconds = "proxy_internal_error", "internal", 1


class NotQueued(BrokerUnavailable):
    """Redis has not queued the request and will not; the target has not seen it."""

    slug, title = "request-not-queued", "The request was not queued"


class GatewayNotReady(GatewayError):
    """The gateway starts or stops."""

    status, slug, title = 503, "gateway-not-ready", "The gateway is starting or stopping"
    proxy_error, fault, retry_after_seconds = "proxy_internal_error", "internal", 1


class WebSocketsNotCarried(GatewayError):
    """Only the server that `run-fast-priority` starts forwards WebSockets, and this is another server."""

    status, slug, title = 501, "websockets-not-carried", "This server carries no WebSockets"
    proxy_error, fault = "http_upgrade_failed", "internal"


class LoopDetected(GatewayError):
    """The request has passed this deployment before: the address of the target leads back to the gateway."""

    status, slug, title = 508, "loop-detected", "The request came back to the gateway"
    proxy_error, fault = "proxy_loop_detected", "internal"


class RequestLost(GatewayError):
    """The worker that had the request died, or Redis lost the request. The target may have seen it."""

    status, slug, title = 502, "request-lost", "The outcome of the request is unknown"
    proxy_error, fault = "proxy_internal_error", "internal"


class NotSent(RequestLost):
    """The worker that had the request was stopped for too long and did not send it. The target has not seen it."""

    slug, title = "request-not-sent", "The request was not sent"


class FailedByForeignWorker(RequestLost):
    """A stock rq worker that cannot run `fast_priority.job`, as those of 1.x, took the request and failed."""

    slug, title = "foreign-worker", "A worker of another program took the request"


class NewerWireVersion(GatewayError):
    """Gateway and worker are of releases with different wire versions, and the older one was asked to go on."""

    status, slug, title = 502, "newer-wire-version", "Gateway and worker do not understand each other"
    proxy_error, fault = "proxy_internal_error", "internal"


class RequestCancelled(GatewayError):
    """The job of the request was cancelled with one of rq's tools."""

    status, slug, title = 502, "request-cancelled", "The request was cancelled"
    proxy_error, fault = "proxy_internal_error", "internal"


class TargetError(GatewayError):
    """The target did not return a usable response."""

    status, slug, title = 502, "target-error", "The target gave no usable response"
    proxy_error, fault = "http_protocol_error", "target"


class TargetRefused(TargetError):
    """Nothing listens at the target's address."""

    slug, title, proxy_error = "target-refused", "The target refused the connection", "connection_refused"


class TargetUnreachable(TargetError):
    """No connection to the target is possible: network or TLS."""

    slug, title, proxy_error = "target-unreachable", "The target cannot be reached", "destination_unavailable"


class TargetNotFound(TargetError):
    """The host name of the target does not resolve."""

    slug, title, proxy_error = "target-not-found", "The target's name does not resolve", "dns_error"


class TargetClosed(TargetError):
    """The target closed or reset the connection before a response began."""

    slug, title, proxy_error = "target-closed", "The target closed the connection", "connection_terminated"


class ResponseIncomplete(TargetError):
    """The response of the target ended before it was complete."""

    slug, title, proxy_error = "response-incomplete", "The target's response broke off", "http_response_incomplete"


class ResponseBodyTooLarge(TargetError):
    """The body of the response is over FAST_PRIORITY_MAX_BODY, or over the buffer for a client of HTTP/1.0."""

    slug, title = "response-body-too-large", "The target's response is too large"
    proxy_error = "http_response_body_size"


class ConnectTimeout(TargetError):
    """There was no connection to the target within FAST_PRIORITY_CONNECT_TIMEOUT."""

    status, slug, title = 504, "connect-timeout", "Connecting to the target took too long"
    proxy_error = "connection_timeout"


class TargetTimeout(TargetError):
    """The target sent nothing for FAST_PRIORITY_TIMEOUT."""

    status, slug, title = 504, "target-timeout", "The target took too long"
    proxy_error = "http_response_timeout"


def _tree(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


_BY_SLUG = {error.slug: error for error in _tree(GatewayError)}


def error_for(slug: str, detail: str) -> GatewayError:
    """Return the error that the other side has raised. For an unknown slug, return the root error."""
    known = _BY_SLUG.get(slug)
    return known(detail) if known else GatewayError(f"a worker reported {slug!r}: {detail}")


def without_traces(error: BaseException) -> None:
    """Remove the traceback and the causes of an error that has been handled.

    A traceback refers to the frames that the error passed, and one of these to the error: a reference cycle, which only
    the garbage collector would find. A flood of refused requests would fill the memory before.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
