"""What is sent back, as values: a response in timed pieces, and the kinds of it. Pure.

- `received_request`: the request that a response is built for; `fields`: header fields
- `response`, `builder`: a response, and which one a request gets
- `echo`, `special_pages`, `server_sent_events`: the contents
- `pacing`: when each piece of a body is due
"""

from mock_target.responses.builder import apply_body_rules, build_response, compress_body, delay_close
from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece, truncate
from mock_target.responses.received_request import ReceivedBody, ReceivedRequest, find_request_id
from mock_target.responses.response import (
    MockResponse,
    bytes_response,
    json_response,
    knob_error_response,
    problem_response,
)

__all__ = [
    "NO_CONTENT",
    "Fields",
    "MockResponse",
    "Piece",
    "ReceivedBody",
    "ReceivedRequest",
    "apply_body_rules",
    "build_response",
    "bytes_response",
    "compress_body",
    "delay_close",
    "find_request_id",
    "json_response",
    "knob_error_response",
    "problem_response",
    "truncate",
]
