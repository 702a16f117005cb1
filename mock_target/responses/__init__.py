"""What is sent back, as values: a response in timed pieces, and the kinds of it. Pure.

- `received_request`: the request that a response is built for; `fields`: header fields
- `response`, `builder`: a response, and which one a request gets
- `echo`, `special_pages`, `server_sent_events`: the contents
- `pacing`: when each piece of a body is due
"""

from mock_target.responses.builder import choose_answer, close_slowly, pack_answer, shape_answer
from mock_target.responses.fields import Fields
from mock_target.responses.pacing import NO_CONTENT, Piece, cut
from mock_target.responses.received_request import ReceivedBody, ReceivedRequest, find_request_id
from mock_target.responses.response import Answer, knob_problem, problem_answer

__all__ = [
    "NO_CONTENT",
    "Answer",
    "Fields",
    "Piece",
    "ReceivedBody",
    "ReceivedRequest",
    "choose_answer",
    "close_slowly",
    "cut",
    "find_request_id",
    "knob_problem",
    "pack_answer",
    "problem_answer",
    "shape_answer",
]
