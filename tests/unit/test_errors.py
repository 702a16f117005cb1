"""The tree of errors: what the client gets, and that no error changes on its way from worker to gateway."""

from collections.abc import Iterator
from typing import get_args

import pytest

from fast_priority import errors
from fast_priority.errors import Fault, GatewayError, TargetError, UnforeseenError, error_for

# RFC 9209, section 2.3: the error types that are registered and that we use or could.
REGISTERED = {
    "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
    "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout",
    "connection_read_timeout", "connection_write_timeout", "connection_limit_reached", "tls_protocol_error",
    "tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied",
    "http_response_incomplete", "http_response_header_section_size", "http_response_header_size",
    "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
    "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
    "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error",
    "proxy_loop_detected",
}  # fmt: skip


def tree(root: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


ALL = list(tree(GatewayError))
each_error = pytest.mark.parametrize("error", ALL, ids=lambda error: error.slug)


def test_slugs_are_distinct() -> None:
    """No two errors have the same slug: it identifies an error for clients and for the gateway."""
    assert len({error.slug for error in ALL}) == len(ALL)


def test_titles_are_distinct() -> None:
    """No two errors share a title."""
    assert len({error.title for error in ALL}) == len(ALL)


@each_error
def test_travels(error: type[GatewayError]) -> None:
    """An error that is rebuilt from its slug is the same error with the same detail."""
    rebuilt = error_for(error.slug, "why")
    assert (type(rebuilt), rebuilt.detail) == (error, "why")


def test_unknown_slug() -> None:
    """A slug that only a newer worker knows becomes the root error, with the slug and the detail in its text."""
    rebuilt = error_for("from-the-future", "why")
    assert type(rebuilt) is GatewayError
    assert "from-the-future" in rebuilt.detail
    assert "why" in rebuilt.detail


@each_error
def test_status_says_whose_fault(error: type[GatewayError]) -> None:
    """The client's fault is a 4xx, too much work at once a 503, and the target's a 502 or 504."""
    statuses = {
        "client": (400, 401, 403, 408, 413, 414, 431),
        "overload": (503,),
        "target": (502, 504),
        "internal": (500, 501, 502, 503, 508),
    }
    assert set(statuses) == set(get_args(Fault))
    assert error.status in statuses[error.fault]


@each_error
def test_503_says_when_to_come_back(error: type[GatewayError]) -> None:
    """Only a 503 has the seconds after which to try again."""
    assert (error.retry_after_seconds is not None) == (error.status == 503)


@each_error
def test_proxy_error_is_registered(error: type[GatewayError]) -> None:
    """The Proxy-Status error is one that RFC 9209 defines."""
    assert error.proxy_error in REGISTERED


@each_error
def test_unread_request_closes_the_connection(error: type[GatewayError]) -> None:
    """After a request that was refused before it was read to its end, and after a bug, the connection is not used."""
    assert error.closes_connection == (error.fault == "client" or error is UnforeseenError)


def test_targets_errors_are_one_family() -> None:
    """Whatever is the target's fault is caught as TargetError."""
    assert {error for error in ALL if error.fault == "target"} == set(tree(TargetError))


def test_configuration_error_is_no_answer() -> None:
    """A program that cannot run as configured is not an error of one request."""
    assert not issubclass(errors.ConfigurationError, GatewayError)


def test_text_is_the_detail() -> None:
    """In a log, an error reads as its detail."""
    assert str(errors.TargetRefused("nothing listens")) == "nothing listens"
