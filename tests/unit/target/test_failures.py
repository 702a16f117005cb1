"""aiohttp's errors as ours."""

import socket
import ssl
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp.http_exceptions import BadStatusLine
from yarl import URL

from fast_priority.errors import (
    GatewayError,
    MalformedRequest,
    TargetClosed,
    TargetError,
    TargetNotFound,
    TargetRefused,
    TargetUnreachable,
)
from fast_priority.target.failures import CLIENT_FAILURES, target_error

PLACE = cast(Any, SimpleNamespace(host="api", port=80, ssl=True, is_ssl=False))
ERRORS: list[tuple[Exception, type[GatewayError]]] = [
    (aiohttp.ClientConnectorDNSError(PLACE, OSError("no such host")), TargetNotFound),
    (aiohttp.ClientConnectorSSLError(PLACE, ssl.SSLError("bad record")), TargetUnreachable),
    (aiohttp.ClientConnectorCertificateError(PLACE, ssl.CertificateError("expired")), TargetUnreachable),
    (aiohttp.ClientConnectorError(PLACE, ConnectionRefusedError("refused")), TargetRefused),
    (aiohttp.ClientConnectorError(PLACE, socket.gaierror("no such host")), TargetNotFound),
    (aiohttp.ClientConnectorError(PLACE, OSError("no route")), TargetUnreachable),
    (aiohttp.ServerDisconnectedError(), TargetClosed),
    (aiohttp.ClientOSError(104, "reset"), TargetClosed),
    (ConnectionResetError("reset"), TargetClosed),
    (aiohttp.InvalidURL(URL("http://api")), MalformedRequest),
    (ValueError("no port"), MalformedRequest),
    (BadStatusLine("SSH-2.0"), TargetError),
    (aiohttp.ClientPayloadError("cut short"), TargetError),
]


@pytest.mark.parametrize(("error", "ours"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_is_translated(error: Exception, ours: type[GatewayError]) -> None:
    """Each error that aiohttp raises is exactly one of ours, with a text for the client."""
    assert isinstance(error, CLIENT_FAILURES)
    translated = target_error(error)
    assert type(translated) is ours
    assert translated.detail
