"""What aiohttp raises on the way to the target and back, and which of our errors each of them is."""

import socket

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from fast_priority.errors import (
    GatewayError,
    MalformedRequest,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetRefused,
    TargetTimeout,
    TargetUnreachable,
)
from fast_priority.target.tls_problems import tls_problem

CLIENT_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
"""What aiohttp raises when something goes wrong; `target_error` translates it."""

_Kind = type[Exception] | tuple[type[Exception], ...]

# The error, the system's error inside it (`os_error`) if that matters, and what we raise. The first match counts.
_TRANSLATIONS: tuple[tuple[_Kind, type[OSError] | None, type[GatewayError], str], ...] = (
    (aiohttp.ClientConnectorDNSError, None, TargetNotFound, "its host name does not resolve"),
    (aiohttp.ClientConnectorError, ConnectionRefusedError, TargetRefused, "nothing listens at its address"),
    (aiohttp.ClientConnectorError, socket.gaierror, TargetNotFound, "its host name does not resolve"),
    (aiohttp.ClientConnectorError, None, TargetUnreachable, "no connection could be made"),
    (
        (aiohttp.ServerDisconnectedError, OSError),
        None,
        TargetClosed,
        "the connection ended before a response began",
    ),
    (ValueError, None, MalformedRequest, "the request cannot be sent as it is"),  # InvalidURL is one
)


def target_error(error: Exception) -> GatewayError:
    """Return our own error for what aiohttp raised while a request was sent or its response awaited."""
    inner = getattr(error, "os_error", None)
    if isinstance(error, aiohttp.ClientSSLError):
        return TargetUnreachable(tls_problem(getattr(error, "certificate_error", inner)))
    for kind, inner_kind, failure, detail in _TRANSLATIONS:
        if isinstance(error, kind) and (inner_kind is None or isinstance(inner, inner_kind)):
            return failure(detail)
    return TargetError(f"what it sent is not an HTTP response ({type(error).__name__})")


def silent_for(seconds: float) -> TargetTimeout:
    """Return the error for a target that sent nothing for its whole timeout."""
    return TargetTimeout(f"it was silent for {seconds:g} s")
