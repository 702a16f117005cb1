"""HeadLimits: how large a request's head may be."""

import pytest

from fast_priority.errors import RequestFieldsTooLarge, RequestLineTooLong
from fast_priority.http.limits import MOST_FIELDS, MOST_REQUEST_FIELDS_BYTES, MOST_REQUEST_LINE_BYTES, HeadLimits


def test_a_request_line_may_be_as_long_as_the_limit() -> None:
    """The whole line counts, with method and version; one byte over the limit is refused."""
    longest = b"/" * (MOST_REQUEST_LINE_BYTES - len("GET  HTTP/1.1"))
    HeadLimits().count_target(b"GET", longest)
    with pytest.raises(RequestLineTooLong):
        HeadLimits().count_target(b"GET", longest + b"/")


def test_fields_may_be_as_large_as_the_limit() -> None:
    """All fields together count, with the separators around their values."""
    limits = HeadLimits()
    limits.count_field(b"x", b"y" * (MOST_REQUEST_FIELDS_BYTES - len("x: \r\n") - len("x: \r\n")))
    limits.count_field(b"x", b"")
    with pytest.raises(RequestFieldsTooLarge):
        limits.count_field(b"x", b"")


def test_fields_may_be_as_many_as_the_limit() -> None:
    """The number of field lines is bounded, and each head is counted for itself."""
    limits = HeadLimits()
    for _ in range(2):
        limits.begin()
        for _ in range(MOST_FIELDS):
            limits.count_field(b"x", b"")
    with pytest.raises(RequestFieldsTooLarge):
        limits.count_field(b"x", b"")


def test_a_head_without_end() -> None:
    """Bytes that complete neither a head nor a body are refused when they are more than a head may have."""
    limits = HeadLimits()
    limits.count_received(MOST_REQUEST_LINE_BYTES + MOST_REQUEST_FIELDS_BYTES)
    limits.check_progress()
    limits.count_received(65536)
    with pytest.raises(RequestFieldsTooLarge):
        limits.check_progress()
    limits.progress()
    limits.check_progress()
