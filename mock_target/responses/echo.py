"""The echo: a request as JSON. Pure.

The names in `fields` are in lower case, as ASGI passes them; in `raw_fields` they are as received. Both keep order
and repetitions. Of a body above 16 MiB there are only the length and the SHA-256.
"""

import base64

import msgspec

from mock_target.responses.fields import Fields
from mock_target.responses.received_request import ReceivedRequest

_encode = msgspec.json.Encoder().encode


class Echo(msgspec.Struct):
    """The members of the echo, in their order; `body` is null if it is not UTF-8."""

    method: str
    path: str
    query: str
    fields: list[tuple[str, str]]
    body: str | None
    body_base64: str | None
    body_sha256: str
    body_length: int
    request_line: str | None
    raw_fields: list[tuple[str, str]] | None


def echo_request(request: ReceivedRequest) -> bytes:
    """Return the JSON echo of a request; path, query and fields are as on the wire, decoded as Latin-1."""
    content = request.body.content
    return _encode(
        Echo(
            method=request.method,
            path=request.raw_path.decode("latin-1"),
            query=request.query.decode("latin-1"),
            fields=_decode_fields(request.fields),
            body=None if content is None else _text_or_none(content),
            body_base64=None if content is None else base64.b64encode(content).decode("ascii"),
            body_sha256=request.body.sha256,
            body_length=request.body.length_bytes,
            request_line=None if request.request_line is None else request.request_line.decode("latin-1"),
            raw_fields=None if request.raw_fields is None else _decode_fields(request.raw_fields),
        )
    )


def _decode_fields(fields: Fields) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def _text_or_none(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
