"""Everything that can go wrong with one request, as one tree.

Each error knows what the client is told: the status, the `Proxy-Status` error token (RFC 9209, section 2.3), a stable
slug, and whose fault it is. The slug is also what travels from a worker to the gateway, so an error raised on one
side is answered on the other without a word lost.
"""

from typing import ClassVar, Literal

Fault = Literal["client", "overload", "target", "internal"]
"""Whose doing it is: the client's, too much work at once, the target's, or our own."""


class ConfigurationError(Exception):
    """The program cannot run as configured; its text is one line that names the setting and the mend."""


class ClientLeft(Exception):
    """The client has closed its connection, so no response can be sent."""


class GatewayError(Exception):
    """Something failed that should not; the root of all errors that one request can meet.

    `detail` is a sentence for the client. It never holds a field, a body, a query or a credential.
    `retry_after_seconds` may be set on one error, where more is known than its kind knows.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "The gateway failed"
    proxy_error: ClassVar[str] = "proxy_internal_error"
    fault: ClassVar[Fault] = "internal"
    retry_after_seconds: int | None = None
    closes_connection: ClassVar[bool] = False

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class MalformedRequest(GatewayError):
    """The request's framing or fields are not what RFC 9110 and RFC 9112 allow."""

    status, slug, title = 400, "malformed-request", "The request is malformed"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


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


class RequestTimeout(GatewayError):
    """The client sent fewer than 500 bytes a second of its body, with FAST_PRIORITY_CLIENT_TIMEOUT of patience."""

    status, slug, title = 408, "request-timeout", "The client was too slow"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class HeadTimeout(GatewayError):
    """The client did not send a request's head within FAST_PRIORITY_HEAD_TIMEOUT."""

    status, slug, title = 408, "request-head-timeout", "The request's head took too long"
    proxy_error, fault, closes_connection = "http_request_error", "client", True


class TooManyConnections(GatewayError):
    """As many clients are connected as FAST_PRIORITY_MAX_CONNECTIONS allows; the request was not read."""

    status, slug, title = 503, "too-many-connections", "Too many clients are connected"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class TooManyTunnels(GatewayError):
    """As many WebSockets are open, or asked for, as FAST_PRIORITY_MAX_TUNNELS allows; the target was not asked."""

    status, slug, title = 503, "too-many-tunnels", "Too many WebSockets are open"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 5


class QueueFull(GatewayError):
    """As many requests of this priority wait as may wait."""

    status, slug, title = 503, "queue-full", "Too many requests are waiting"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class WaitedTooLong(GatewayError):
    """No worker took the request within FAST_PRIORITY_TTL."""

    status, slug, title = 503, "waited-too-long", "No worker was free in time"
    proxy_error, fault, retry_after_seconds = "connection_limit_reached", "overload", 1


class BrokerUnavailable(GatewayError):
    """Redis does not answer, so nothing can be queued."""

    status, slug, title = 503, "broker-unavailable", "The queue is not reachable"
    proxy_error, fault, retry_after_seconds = "proxy_internal_error", "internal", 1


class NotQueued(BrokerUnavailable):
    """Redis has not taken the request, and never will; the target has not seen it."""

    slug, title = "request-not-queued", "The request was not queued"


class GatewayNotReady(GatewayError):
    """The gateway is starting or stopping."""

    status, slug, title = 503, "gateway-not-ready", "The gateway is starting or stopping"
    proxy_error, fault, retry_after_seconds = "proxy_internal_error", "internal", 1


class WebSocketsNotCarried(GatewayError):
    """WebSockets are carried by the server that `run-fast-priority` starts, and this is another one."""

    status, slug, title = 501, "websockets-not-carried", "This server carries no WebSockets"
    proxy_error, fault = "http_upgrade_failed", "internal"


class LoopDetected(GatewayError):
    """The request has passed this deployment before: the target's address leads back to the gateway."""

    status, slug, title = 508, "loop-detected", "The request came back to the gateway"
    proxy_error, fault = "proxy_loop_detected", "internal"


class RequestLost(GatewayError):
    """The worker that took the request died, or Redis lost the request; the target may or may not have seen it."""

    status, slug, title = 502, "request-lost", "What became of the request is unknown"
    proxy_error, fault = "proxy_internal_error", "internal"


class NotSent(RequestLost):
    """The worker that took the request was away for too long to send it, so the target has not seen it."""

    slug, title = "request-not-sent", "The request was not sent"


class RequestCancelled(GatewayError):
    """Somebody cancelled the request's job with one of rq's tools."""

    status, slug, title = 502, "request-cancelled", "The request was cancelled"
    proxy_error, fault = "proxy_internal_error", "internal"


class TargetError(GatewayError):
    """The target did not give a usable response."""

    status, slug, title = 502, "target-error", "The target gave no usable response"
    proxy_error, fault = "http_protocol_error", "target"


class TargetRefused(TargetError):
    """Nothing listens at the target's address."""

    slug, title, proxy_error = "target-refused", "The target refused the connection", "connection_refused"


class TargetUnreachable(TargetError):
    """No way leads to the target: network or TLS."""

    slug, title, proxy_error = "target-unreachable", "The target cannot be reached", "destination_unavailable"


class TargetNotFound(TargetError):
    """The target's host name does not resolve."""

    slug, title, proxy_error = "target-not-found", "The target's name does not resolve", "dns_error"


class TargetClosed(TargetError):
    """The target closed or reset the connection before a response began."""

    slug, title, proxy_error = "target-closed", "The target closed the connection", "connection_terminated"


class ResponseIncomplete(TargetError):
    """The target's response ended before it was whole."""

    slug, title, proxy_error = "response-incomplete", "The target's response broke off", "http_response_incomplete"


class ResponseBodyTooLarge(TargetError):
    """The body is over FAST_PRIORITY_MAX_BODY, or over what can be held for a client of HTTP/1.0."""

    slug, title = "response-body-too-large", "The target's response is too large"
    proxy_error = "http_response_body_size"


class ConnectTimeout(TargetError):
    """No connection to the target within FAST_PRIORITY_CONNECT_TIMEOUT."""

    status, slug, title = 504, "connect-timeout", "Connecting to the target took too long"
    proxy_error = "connection_timeout"


class TargetTimeout(TargetError):
    """The target was silent for as long as FAST_PRIORITY_TIMEOUT."""

    status, slug, title = 504, "target-timeout", "The target took too long"
    proxy_error = "http_response_timeout"


def _tree(root: type[GatewayError]) -> list[type[GatewayError]]:
    return [root, *(found for child in root.__subclasses__() for found in _tree(child))]


_BY_SLUG = {error.slug: error for error in _tree(GatewayError)}


def error_for(slug: str, detail: str) -> GatewayError:
    """Rebuild the error that the other side raised; an unknown slug becomes the root error, with its slug said."""
    known = _BY_SLUG.get(slug)
    return known(detail) if known else GatewayError(f"a worker reported {slug!r}: {detail}")


def without_traces(error: BaseException) -> None:
    """Let an error that has been dealt with forget where it came from.

    It refers to all that the calls it went through have at hand, and one of them to what keeps the error: a circle,
    which only the collector of garbage would find. A flood of refused requests would fill the memory first.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
