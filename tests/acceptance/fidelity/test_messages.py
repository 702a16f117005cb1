"""The bytes of messages: where one ends and the next begins."""

import pytest

from tests.acceptance.fidelity.messages import read_request, read_responses

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    ],
)
def test_a_request_ends_where_its_framing_says(data: bytes, body: bytes) -> None:
    """Of two requests the first is returned with its body, and the rest unchanged; one byte less is incomplete."""
    read = read_request(data + b"GET /next")
    assert read is not None
    assert (read[0].body, read[1]) == (body, b"GET /next")
    assert read_request(data[:-1]) is None


def test_responses_are_read_in_turn() -> None:
    """Interim responses belong to the same request as the final one after them, and a response to HEAD has no body."""
    data = b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok"
    responses, rest = read_responses(data, [b"HEAD", b"GET"], ended=False)
    assert [(response.status, response.body) for response in responses] == [(103, b""), (200, b""), (200, b"ok")]
    assert rest == b""


@pytest.mark.parametrize(
    ("fields", "whole"), [(b"", True), (b"Content-Length: 9\r\n", False), (b"Transfer-Encoding: chunked\r\n", False)]
)
def test_a_body_is_whole_at_the_end_only_where_nothing_else_was_said(fields: bytes, whole: bool) -> None:
    """A closed connection ends a body without a length; one with a length, or in chunks, is incomplete."""
    data = HEAD + fields + b"\r\nabc"
    assert read_responses(data, [b"GET"], ended=False) == ([], data)
    (response,), _ = read_responses(data, [b"GET"], ended=True)
    assert response.whole is whole


def test_what_is_no_response_is_the_rest() -> None:
    """Bytes after the last response, or in place of one, are returned unchanged."""
    assert read_responses(HEAD + b"Content-Length: 0\r\n\r\nmore", [b"GET"], ended=True)[1] == b"more"
    assert read_responses(b"<html>", [b"GET"], ended=True) == ([], b"<html>")
