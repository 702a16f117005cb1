"""The table of knobs: everything that can be set by default, by route or by one request. Pure.

Query parameters, request fields, the JSON of settings and routes, the command line's help, the page in the browser and
docs/reference/mock-target.md all come from this one table.
"""

from mock_target.settings.behaviour import Behaviour, Fault, parse_dribble, parse_fault
from mock_target.settings.knob import Knob
from mock_target.settings.latency import parse_latency
from mock_target.settings.value_parsers import (
    parse_boolean,
    parse_field_lines,
    parse_field_value,
    parse_rate,
    parse_seconds,
    parse_share,
    text_parser,
    whole_number_parser,
)

WAITING, ANSWER, FAILURE, LIMIT = "When the response is sent", "What is sent", "What goes wrong", "How much at once"
MODEL = "What the paths of a model server do"

MAX_SIZE_BYTES = 64 * 1024 * 1024
MAX_BODY_CHARACTERS = 65_536
MAX_BYTES_PER_SECOND = 1_000_000_000
MAX_LIMIT = 100_000
MAX_TOKENS = 100_000

# 1xx are interim responses (RFC 9110, section 15.2).
_parse_status = whole_number_parser(200, 599, "a final status code")
_parse_error_status = whole_number_parser(400, 599, "an error status")
_parse_size = whole_number_parser(0, MAX_SIZE_BYTES, "a number of bytes")
_parse_bandwidth = whole_number_parser(1, MAX_BYTES_PER_SECOND, "bytes per second")
_parse_limit = whole_number_parser(1, MAX_LIMIT, "a number of requests")
_parse_max_queued = whole_number_parser(0, MAX_LIMIT, "a number of requests")
_parse_tokens = whole_number_parser(1, MAX_TOKENS, "a number of tokens")
_parse_retry_after = whole_number_parser(0, 3600, "seconds")

_WAITING_KNOBS = (
    Knob(
        name="latency",
        group=WAITING,
        parse=parse_latency,
        meaning="Seconds before the response: fixed, uniform, jitter, lognormal or exponential.",
        example="exponential:0.05",
        default="0.05",
    ),
    Knob(
        name="dribble",
        group=WAITING,
        parse=parse_dribble,
        meaning="The body is sent in pieces, spread over seconds: pieces,seconds.",
        example="5,2",
    ),
    Knob(
        name="bandwidth",
        group=WAITING,
        parse=_parse_bandwidth,
        meaning="The body is sent at this many bytes per second.",
        example="10000",
    ),
)

_ANSWER_KNOBS = (
    Knob("status", ANSWER, _parse_status, "The status code, 200 to 599.", "404"),
    Knob("size", ANSWER, _parse_size, "A body of this many bytes instead of the echo, at most 64 MiB.", "1000000"),
    Knob(
        name="body",
        group=ANSWER,
        parse=text_parser(MAX_BODY_CHARACTERS),
        meaning="This text instead of the echo, at most 65536 characters.",
        example='{"ok": true}',
    ),
    Knob("content_type", ANSWER, parse_field_value, "The Content-Type of the response.", "application/json"),
    Knob("fields", ANSWER, parse_field_lines, "More response fields, one on a line.", "Cache-Control: no-store"),
    Knob(
        name="redirect",
        group=ANSWER,
        parse=parse_field_value,
        meaning="The Location to redirect to, with status 302 unless status is set, and an empty body.",
        example="/elsewhere",
    ),
    Knob(
        name="gzip",
        group=ANSWER,
        parse=parse_boolean,
        meaning="The body compressed, with Content-Encoding: gzip.",
        example="true",
        choices=("true", "false"),
    ),
)

_MODEL_KNOBS = (
    Knob("tokens", MODEL, _parse_tokens, "The length of an answer in tokens; a request may ask for less.", "200", "20"),
    Knob("token_rate", MODEL, parse_rate, "How many tokens are made each second.", "25", "100"),
    Knob(
        name="load_seconds",
        group=MODEL,
        parse=parse_seconds,
        meaning="Seconds until the model is loaded, from the start, a reset or a change of this: 503 until then.",
        example="30",
    ),
)

_FAILURE_KNOBS = (
    Knob("error_rate", FAILURE, parse_share, "The share of requests, 0 to 1, answered with error_status.", "0.05"),
    Knob("error_status", FAILURE, _parse_error_status, "The status of those errors, 400 to 599.", "500", "503"),
    Knob(
        name="fault",
        group=FAILURE,
        parse=parse_fault,
        meaning="A fault below HTTP: one of those listed.",
        example="reset",
        choices=tuple(Fault),
    ),
    Knob("fault_rate", FAILURE, parse_share, "The share of requests, 0 to 1, that get the fault.", "0.01", "1"),
    Knob("close_delay", FAILURE, parse_seconds, "Seconds that slow_close keeps the connection open.", "30", "5"),
)

_LIMIT_KNOBS = (
    Knob(
        name="limit",
        group=LIMIT,
        parse=_parse_limit,
        meaning="At most this many requests are in progress at once.",
        example="4",
        per_request=False,
    ),
    Knob(
        name="max_queued",
        group=LIMIT,
        parse=_parse_max_queued,
        meaning="At most this many wait, first come first served; the rest are refused at once.",
        example="100",
        default="0",
        per_request=False,
    ),
    Knob("limit_status", LIMIT, _parse_error_status, "The status of a refusal, 400 to 599.", "429", "503", False),
    Knob(
        name="retry_after",
        group=LIMIT,
        parse=_parse_retry_after,
        meaning="The Retry-After of a refusal, and of a 429 or 503 of a model server, in seconds.",
        example="10",
        default="1",
        per_request=False,
    ),
)

KNOBS = (*_WAITING_KNOBS, *_ANSWER_KNOBS, *_MODEL_KNOBS, *_FAILURE_KNOBS, *_LIMIT_KNOBS)
KNOBS_BY_NAME = {knob.name: knob for knob in KNOBS}

FAULTS = {
    Fault.RESET: "the connection is reset (RST) without a response",
    Fault.EMPTY: "the connection is closed without a byte",
    Fault.TRUNCATE: "half of the body, then the connection is closed",
    Fault.RESET_MIDWAY: "up to half of the body, then the connection is reset (RST)",
    Fault.GARBAGE: "random bytes instead of a response, then closed",
    Fault.MALFORMED: "a valid head, then bytes that are no chunk, then closed",
    Fault.HANG: "no response until the client disconnects, for an hour at most",
    Fault.SLOW_CLOSE: "a complete response, then the connection stays open for close_delay",
}


def make_behaviour(values: dict[str, object]) -> Behaviour:
    """Return a behaviour with these values by knob name."""
    return Behaviour(**values)  # type: ignore[arg-type]


DEFAULTS = make_behaviour({knob.name: knob.parse(knob.default) for knob in KNOBS if knob.default is not None})
